"""A profile tried on a device: one point, or what a person looks at before it is written down."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from agent.cli import known, readings
from agent.cli.direct import as_json
from agent.cli.wire import Wire, spec_with
from agent.cli.words import amount
from agent.driver import Asker, DeviceFault, Mark, Quality, Question, Reading, Reads, Reason
from agent.errors import NotFoundError
from agent.plan import Json
from agent.prepare.kinds import ProfileSettings

NAME = "trial"
SHOWN = 6  # points; enough to see whether the meter is the one, and few to be read at 2400 baud


@dataclass(frozen=True, slots=True)
class Tried:
    """One point on a device.

    Attributes:
        reading: as the verb `read` has it, None where it was refused.
        fault: why there is no reading.
    """

    point: str
    reading: Json | None
    fault: str = ""

    @property
    def wrong(self) -> bool:
        """Whether the profile does not fit here; a point may have no value now."""
        return self.reading is None or self.reading["quality"] == Quality.OUT_OF_RANGE


@dataclass(frozen=True, slots=True)
class Set:
    """The wire with its line set differently.

    Attributes:
        line: as in `Question.line`.
    """

    asker: Asker
    line: str

    async def ask(self, question: Question) -> bytes:
        """See `agent.driver.Asker`."""
        return await self.asker.ask(replace(question, line=self.line))


class Trials:
    """Profiles tried on the devices of one wire.

    Args:
        there: the wire.
        folder: of the configuration, with its own profiles.
    """

    def __init__(self, there: Wire, folder: Path) -> None:
        self._there, self._folder = there, folder
        self._readers: dict[tuple[str, int], Reads] = {}

    def marks(self) -> Sequence[Mark]:
        """What the profiles know their models by."""
        kind = self._there.kind
        return [*kind.marks(self._profiles.values())] if kind.marks else []

    async def point(self, asker: Asker, profile: str, address: int, point: str) -> Reading | None:
        """See `agent.driver.Trial`; None where it cannot be read."""
        key = (profile, address)
        if key not in self._readers:
            model = self._profiles[profile]
            self._readers[key] = reader(self._there, (NAME, str(address)), model, asker)
        try:
            (reading,) = await self._readers[key].read(NAME, point)
        except DeviceFault:
            return None
        return reading

    @cached_property
    def _profiles(self) -> dict[str, ProfileSettings]:
        found = known.recognisable(self._there.kind, self._folder)
        return {profile.profile: profile for profile in found}


def reader(there: Wire, device: tuple[str, str], profile: ProfileSettings, asker: Asker) -> Reads:
    """What reads a device with this profile through an asker.

    Args:
        there: the wire.
        device: its name and its address.
        profile: not the one it has in the file.
        asker: the wire, open.

    Raises:
        NotFoundError: the profile is for other wires.
    """
    kind, (name, address) = there.kind, device
    if kind.through is None or not isinstance(profile, kind.profile):
        message = f"{profile.profile} is not for {kind.family}: it cannot be read on {name}."
        raise NotFoundError(message)
    return kind.through(spec_with(there, name, address, profile), asker)


async def each(source: Reads, device: str, points: Sequence[str]) -> list[Tried]:
    """These points, one by one.

    Raises:
        DeviceFault: nobody is there.
    """
    return [await _one(source, device, point) for point in points]


def screen(tried: Sequence[Tried], *, raw: bool) -> Iterator[str]:
    """How they are shown."""
    said = [one.reading for one in tried if one.reading]
    yield from readings.screen(said, raw=raw) if said else ()
    yield from (f"[FAIL] {one.point}: {one.fault}" for one in tried if one.fault)


def verdict(tried: Sequence[Tried]) -> str:
    """How many are right: `5 of 6 points fit this device.`."""
    good = sum(not one.wrong for one in tried)
    return f"{good} of {amount(len(tried), 'point')} fit{'s' * (len(tried) == 1)} this device."


def points_of(profile: ProfileSettings) -> list[str]:
    """The names of a profile's points."""
    return [*getattr(profile, "points", ())]


async def _one(source: Reads, device: str, point: str) -> Tried:
    try:
        (reading,) = await source.read(device, point)
    except DeviceFault as fault:
        if fault.reason is Reason.NO_ANSWER:
            raise
        return Tried(point, None, fault.message)
    return Tried(point, as_json(reading))
