"""What a driver or destination tells `prepare` about itself: its settings, and how to compile them.

Entry point group `fieldpost.settings` names one `ConnectionKind` for each `kind:` of a connection.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from agent import plan
from agent.driver import Asker, Finder, Mark, Proof, Reads
from agent.driver.learned import Learned
from agent.plan import Json
from agent.prepare.types import Bytes, Deadband, Interval, Number, Pace, Rate, Seconds, Switch


class Settings(BaseModel):
    """Base of every model a part of the file is read into: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PointOverride(Settings):
    """`devices.<name>.points.<point>`: what a technician may change about a profile's point."""

    every: Interval | None = None
    enabled: Switch = True
    min: Number | None = None
    max: Number | None = None
    max_change: Rate | None = None
    deadband: Deadband | None = None
    silence: Interval | None = None
    alarm_above: Number | None = None
    alarm_below: Number | None = None
    alarm_on_change: Switch | None = None


class DeviceSettings(Settings):
    """`devices.<name>`; a kind adds its own keys (`address`, `mac`, `key`) in a subclass."""

    profile: str
    via: str
    every: Interval | None = None
    enabled: Switch = True
    points: dict[str, PointOverride] = {}


class ProfileSettings(Settings):
    """What every device profile has; a kind adds `points`, `order`, `lines`, … in a subclass."""

    profile: str
    title: str = ""
    kind: str
    extends: str | None = None
    every: Interval | None = None


class Severity(StrEnum):
    """Errors refuse the file, warnings do not, notes only inform."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Spot(StrEnum):
    """Which end of a setting the caret goes under."""

    KEY = "key"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the file, in the words of `config-and-cli`, section 5.

    Attributes:
        path: keys from the top of the file: ("devices", "oven-meter", "address").
        message: one plain sentence; names the user's own object.
        note: facts beside it; printed behind `= `.
        fix: what to write instead; printed behind `= fix: `. `{fieldpost}` in it becomes the
            command that means this very file, with `--config` where one is needed.
    """

    path: tuple[str, ...]
    message: str
    fix: str | None = None
    note: str | None = None
    severity: Severity = Severity.ERROR
    spot: Spot = Spot.VALUE
    code: str = "config"


@dataclass(frozen=True, slots=True)
class DeviceInput:
    """One enabled or disabled device of a connection, read and resolved.

    Attributes:
        settings: an instance of the kind's `device` model.
        profile: an instance of the kind's `profile` model, `extends:` already merged.
        learned: of a device of this name; it may have been on another connection or address.
    """

    name: str
    settings: DeviceSettings
    profile: ProfileSettings
    learned: Learned | None = None


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a kind makes of one connection and its devices.

    Attributes:
        place: how a person finds it: port, host or adapter.
        spec: JSON for the driver's `Opens`, only the enabled devices in it.
        devices: by name; `plan.Device` with profile, connection and points filled in, for all
            devices given, disabled ones too.
        secrets: names of secrets the driver will be given.
        problems: cross-checks of this kind (duplicate address, bus time, …).
        facts: sentences about what the plan costs, for `check`.
    """

    place: str
    spec: Json
    devices: Mapping[str, plan.Device]
    secrets: Sequence[str] = ()
    problems: Sequence[Problem] = ()
    facts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ConnectionKind:
    """One `kind:` of connection.

    Attributes:
        family: which profiles fit; equals `kind:` in the profile (`modbus`, `bluetooth`).
        settings: model of `connections.<name>`, without `kind`.
        device: model of `devices.<name>` on such a connection.
        profile: model of a whole profile file of this family.
        compile: name of the connection, its settings, its devices → `Compiled`. Pure: no device,
            no network, and it never raises for what a technician wrote.
        finder: looks for devices and registers on such connections; None where nothing can.
        marks: what profiles know their models by, for the finder.
        proofs: decodes the golden frames of a profile.
        through: reads the devices of a compiled spec through a wire that is lent.
    """

    family: str
    settings: type[Settings]
    device: type[DeviceSettings]
    profile: type[ProfileSettings]
    compile: Callable[[str, Settings, Sequence[DeviceInput]], Compiled]
    finder: Finder | None = None
    marks: Callable[[Iterable[ProfileSettings]], Iterable[Mark]] | None = None
    proofs: Callable[[ProfileSettings], Iterable[Proof]] | None = None
    through: Callable[[Json, Asker], Reads] | None = None


class DestinationSettings(Settings):
    """`cloud.<name>`; a kind adds its own keys in a subclass; `every` may differ."""

    every: Interval = 60.0
    keep_offline: Seconds | None = None
    rate: Pace | None = None
    budget: Bytes | None = None


@runtime_checkable
class Replays(Protocol):
    """Settings of a destination that may forget what it has acknowledged."""

    @property
    def replay(self) -> float:
        """How long that is kept, to be sent again, seconds."""
        ...


@dataclass(frozen=True, slots=True)
class DestinationKind:
    """One `kind:` of destination; every package below `agent.cloud` offers one as `settings.KIND`.

    Attributes:
        settings: model of `cloud.<name>`, without `kind`.
        opens: `module:function` that makes the `Cloud`.
        compile: name, settings, the whole site, all devices → spec, secrets, problems. Pure.
    """

    settings: type[DestinationSettings]
    opens: str
    compile: Callable[
        [str, DestinationSettings, plan.Site, Mapping[str, plan.Device]],
        tuple[Json, Sequence[str], Sequence[Problem]],
    ]
