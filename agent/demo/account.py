"""The reckoning: what instruments said, what the daemon accepted, what the cloud holds.

Three witnesses that do not know each other: the instruments count what they said while somebody
listened, the daemon what it accepted and what it gave up, the sandbox every record it was sent.
Readings are single values; a record is all values of one device at one instant.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# between an instrument's saying something and the daemon's stamp on it: several blocks on a paced
# line of 9600 baud, and a machine with better things to do
ANSWERED_S = 5.0
CLOCKS_S = 0.05  # an instrument notes the time after it spoke


@dataclass(frozen=True, slots=True)
class Held:
    """One record as the cloud holds it.

    Attributes:
        identity: (epoch, seq); records with the same one are the same sample.
        wall_s: its time stamp, seconds since 1970.
        readings: values in it.
    """

    device: str
    identity: tuple[str, int]
    wall_s: float
    readings: int


@dataclass(frozen=True, slots=True)
class Life:
    """One stretch during which a daemon ran, wall-clock seconds."""

    began_s: float
    ended_s: float


@dataclass(frozen=True, slots=True)
class Told:
    """What the daemon says of itself at the end.

    Attributes:
        accepted: readings it accepted and committed, over all its lives.
        lost: readings in its loss ledger.
        waiting: readings not yet delivered.
    """

    accepted: int
    lost: int
    waiting: int


@dataclass(frozen=True, slots=True)
class DeviceCount:
    """One device: samples said while the daemon listened, and samples the cloud holds."""

    produced: int
    held: int

    @property
    def missing(self) -> int:
        """Samples that were said and are not in the cloud."""
        return max(0, self.produced - self.held)


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a demo.

    Attributes:
        accepted, delivered: readings; `delivered` counts each one once.
        duplicates: readings the cloud was sent again.
        missing: readings accepted, neither delivered nor in the loss ledger; or samples said by an
            instrument to a listening daemon that the cloud does not hold.
        counted_lost: readings in the loss ledger.
    """

    accepted: int
    delivered: int
    duplicates: int
    missing: int
    counted_lost: int
    readings_per_s: float
    seconds: float
    devices: Mapping[str, DeviceCount] = field(default_factory=dict)


def reckon(
    said: Mapping[str, Sequence[float]], held: Iterable[Held], told: Told, lives: Sequence[Life]
) -> Summary:
    """Compare the three."""
    by_identity: dict[tuple[str, int], Held] = {}
    times: Counter[tuple[str, int]] = Counter()
    for record in held:
        by_identity[record.identity] = record
        times[record.identity] += 1
    delivered = sum(record.readings for record in by_identity.values())
    again = sum(by_identity[i].readings * (n - 1) for i, n in times.items())
    counts = _by_device(said, by_identity.values(), lives)
    seconds = sum(life.ended_s - life.began_s for life in lives)
    unaccounted = max(0, told.accepted - told.lost - delivered)
    return Summary(
        accepted=told.accepted,
        delivered=delivered,
        duplicates=again,
        missing=unaccounted + max(0, sum(c.missing for c in counts.values()) - told.lost),
        counted_lost=told.lost,
        readings_per_s=round(delivered / seconds, 1) if seconds else 0.0,
        seconds=round(seconds, 1),
        devices=counts,
    )


def _by_device(
    said: Mapping[str, Sequence[float]], held: Iterable[Held], lives: Sequence[Life]
) -> dict[str, DeviceCount]:
    stamps: defaultdict[str, list[float]] = defaultdict(list)
    for record in held:
        stamps[record.device].append(record.wall_s)
    return {
        device: _count(instants, sorted(stamps[device]), lives) for device, instants in said.items()
    }


def _count(said: Sequence[float], stamps: Sequence[float], lives: Sequence[Life]) -> DeviceCount:
    """Count what was said during the daemon's lives, and for how much of it a stamp is held."""
    spoken = [s for s in said if any(life.began_s <= s <= life.ended_s for life in lives)]
    return DeviceCount(len(spoken), _paired(spoken, stamps))


def _paired(spoken: Sequence[float], stamps: Sequence[float]) -> int:
    """How many of the instants have a stamp of their own at or soon after them, in order."""
    pairs, free = 0, iter(stamps)
    stamp = next(free, None)
    for instant in spoken:
        while stamp is not None and stamp < instant - CLOCKS_S:
            stamp = next(free, None)
        if stamp is not None and stamp <= instant + ANSWERED_S:
            pairs += 1
            stamp = next(free, None)
    return pairs
