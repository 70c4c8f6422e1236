"""The plan: what `prepare` made of the technician's file, and all the daemon ever runs.

Invariants: a plan is complete (every reference resolved, every default filled in), immutable, plain
JSON on disk, and holds names of secrets, never secrets. What belongs to one driver or destination
travels as its `spec`: JSON that only the room which wrote it reads back, into its own dataclasses.
"""

import dataclasses
import functools
import hashlib
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar, cast

FORMAT = 1  # of the plan file; a daemon compiles again when it reads another one

# FIELDPOST_… variables that are not overrides of settings
RESERVED = frozenset({"FIELDPOST_CONFIG", "FIELDPOST_SOCKET", "FIELDPOST_STATE"})

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Site:
    """`site:` of the configuration, in SI units."""

    name: str
    id: str
    timezone: str
    buffer_bytes: int
    may_lose_s: float
    when_full: str = "thin"  # or "drop-oldest", "refuse-new"


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a device.

    Attributes:
        unit: UCUM code or None.
        every_s: seconds between reads; None where the device speaks on its own.
        low, high: plausible range, inclusive; a value outside is not delivered.
        writable: whether `fieldpost write` may change it.
        counter: never decreases; a smaller value is a restart, never a negative difference.
        wraps_at: where a counter is full and starts again at zero, or None when nobody knows.
        change_per_s: the fastest change that can be true; a faster one is not delivered.
        deadband: delivered only when it differs from what was delivered last by more than this;
            None: every value is delivered.
        deadband_share: the same as a share of what was delivered last; the larger of both counts.
        silence_s: with a deadband: delivered at least this often, seconds.
        alarm_above, alarm_below: a sample in which the value crosses them is urgent.
        alarm_on_change: one in which it is another than the last one told is.
    """

    unit: str | None = None
    every_s: float | None = None
    low: float | None = None
    high: float | None = None
    writable: bool = False
    counter: bool = False
    wraps_at: float | None = None
    change_per_s: float | None = None
    deadband: float | None = None
    deadband_share: float = 0.0
    silence_s: float | None = None
    alarm_above: float | None = None
    alarm_below: float | None = None
    alarm_on_change: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """One device as health, status and CLI see it.

    Attributes:
        address: what identifies it on its connection, as text: unit id, Bluetooth address, or "".
        every_s: its reading interval; None where it speaks on its own and the interval is learned.
    """

    name: str
    profile: str
    connection: str
    address: str
    every_s: float | None
    enabled: bool
    points: Mapping[str, Point]


@dataclass(frozen=True, slots=True)
class Connection:
    """One wire or radio, and everything the driver that owns it needs.

    Attributes:
        kind: as written in the file (`modbus-rtu`).
        opens: `module:function` of the driver, from the entry point `fieldpost.drivers`.
        place: how a person finds it: port, host or adapter.
        spec: the driver's own compiled plan.
        secrets: names of the secrets its devices need, and no others.
    """

    name: str
    kind: str
    opens: str
    place: str
    spec: Json
    secrets: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a destination may cost; None: as much as it takes.

    Attributes:
        readings_per_s, bytes_per_s: at most one of them.
        bytes_a_month: both ways, in a month of the site's calendar.
        timezone: of that calendar.
    """

    readings_per_s: float | None = None
    bytes_per_s: float | None = None
    bytes_a_month: int | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Destination:
    """One cloud.

    Attributes:
        opens: `module:function` below `agent.cloud`.
        every_s: longest wait before a batch is sent, seconds.
        keep_offline_s: give up on older samples, seconds of running time; None = never.
        spec: the destination's own compiled plan.
        secrets: names of the secrets it needs, and no others.
        replay_s: what it acknowledged is kept so long, seconds of running time, and sent again when
            it has forgotten it; 0: not at all.
        allows: what it may cost.
    """

    name: str
    kind: str
    opens: str
    every_s: float
    keep_offline_s: float | None
    spec: Json
    secrets: Sequence[str] = ()
    replay_s: float = 0.0
    allows: Allowance = field(default_factory=Allowance)


@dataclass(frozen=True, slots=True)
class Status:
    """`status:` of the configuration. `listen` is `host:port` or `none`."""

    listen: str = "127.0.0.1:8080"
    names: Sequence[str] = ()
    certificate: str | None = None
    private_key: str | None = None
    platform_key: str | None = None
    platform_issuer: str = "tesaiot-platform"


@dataclass(frozen=True, slots=True)
class Health:
    """`health:` of the configuration."""

    late_after: int = 3
    disk_free_min_bytes: int = 200_000_000


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a plan comes from, so that a start can tell whether it still holds.

    Attributes:
        program: fieldpost version that compiled it.
        files: SHA-256 (hex) by absolute path of every file read.
        environment: SHA-256 over all `FIELDPOST_…` variables that override settings.
        overrides: names of the settings that came from the environment.
    """

    program: str
    files: Mapping[str, str]
    environment: str = ""
    overrides: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the daemon runs."""

    format: int
    origin: Origin
    site: Site
    devices: Mapping[str, Device]
    connections: Mapping[str, Connection]
    destinations: Mapping[str, Destination]
    status: Status = field(default_factory=Status)
    health: Health = field(default_factory=Health)


def overrides(environment: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """The variables of the environment that override settings, by name."""
    names = (n for n in environment if n.upper().startswith("FIELDPOST_"))
    return {n: environment[n] for n in sorted(names) if n.upper() not in RESERVED}


def overrides_digest(environment: Mapping[str, str] = os.environ) -> str:
    """SHA-256 (hex) over `overrides`: a plan holds only while it stays the same."""
    pairs = [f"{name}={value}\n" for name, value in overrides(environment).items()]
    return hashlib.sha256("".join(pairs).encode()).hexdigest()


def to_json(thing: Any) -> Json:
    """A dataclass, all the way down, as plain JSON; tuples become lists."""
    return dataclasses.asdict(thing)


def from_json(cls: type[T], data: Any) -> T:
    """The dataclass that `to_json` wrote.

    Raises:
        ValueError: a field is missing, unknown, or of another shape.
    """
    try:
        return cast("T", _of_dataclass(cls)(data))
    except (TypeError, KeyError, AttributeError) as error:
        message = f"not a {cls.__name__}: {error}"
        raise ValueError(message) from error


Reader = Callable[[Any], Any]


@functools.cache
def _reader(hint: Any) -> Reader | None:
    """What turns JSON into a value of this type; None where JSON is the value.

    Worked out once per type: a plan of a thousand points is read at each start.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _of_dataclass(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if origin in (types.UnionType, typing.Union):
        return _of_union(arguments)
    is_container = isinstance(origin, type) and hint != Json
    return _of_container(origin, arguments) if is_container else None


def _of_dataclass(cls: type) -> Reader:
    hints = typing.get_type_hints(cls)
    readers = {name: reader for name in hints if (reader := _reader(hints[name]))}

    def read(data: Any) -> Any:
        converted = {name: reader(data[name]) for name, reader in readers.items() if name in data}
        return cls(**{**data, **converted})

    return read


def _of_container(origin: type, arguments: tuple[Any, ...]) -> Reader:
    if issubclass(origin, Mapping):
        of_value = _reader(arguments[1])
        return lambda data: (
            {key: of_value(value) for key, value in data.items()} if of_value else dict(data)
        )
    if origin is tuple and Ellipsis not in arguments:
        fixed = [_reader(argument) for argument in arguments]
        return lambda data: tuple(
            reader(item) if reader else item for reader, item in zip(fixed, data, strict=True)
        )
    of_item = _reader(arguments[0])
    return lambda data: tuple(of_item(item) for item in data) if of_item else tuple(data)


def _of_union(arguments: tuple[Any, ...]) -> Reader | None:
    """A union holds at most one dataclass or container beside None and scalars."""
    inner = next((reader for a in arguments if (reader := _reader(a))), None)
    if inner is None:
        return None
    return lambda data: inner(data) if isinstance(data, dict | list | tuple) else data
