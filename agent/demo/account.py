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
# before a kill: the loss window of `may_lose: 1s`, and a sample's way to it
KILL_WINDOW_S = 2.5


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
    """One stretch during which a daemon ran, wall-clock seconds.

    Attributes:
        killed: whether it ended without warning, and what it had not committed with it.
    """

    began_s: float
    ended_s: float
    killed: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What the daemon says of itself at the end.

    Attributes:
        accepted: readings it accepted and committed, over all its lives.
        waiting: readings not yet delivered.
        lost: readings its loss ledger gives up, exactly.
        at_most: readings that its ledger says a kill cost at most; never committed, so not among
            the accepted ones.
    """

    accepted: int
    waiting: int = 0
    lost: int = 0
    at_most: int = 0


@dataclass(frozen=True, slots=True)
class DeviceCount:
    """One device, in samples.

    Attributes:
        produced: said while a daemon listened.
        held: of those, the cloud holds so many.
        cut: of those, so many were said in the last moments before a kill and went with it.
    """

    produced: int
    held: int
    cut: int = 0

    @property
    def missing(self) -> int:
        """Samples that were said, and that nothing accounts for."""
        return self.produced - self.held - self.cut


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a demo.

    Attributes:
        accepted, delivered: readings; `delivered` counts each one once.
        duplicates: readings the cloud was sent again.
        missing: what nothing accounts for: readings accepted, neither delivered nor in the loss
            ledger; samples said to a listening daemon that the cloud does not hold; readings cut
            by a kill beyond what the ledger admits.
        counted_lost: readings in the loss ledger; for a kill that is an upper bound.
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
    once: dict[tuple[str, int], Held] = {}
    times: Counter[tuple[str, int]] = Counter()
    for record in held:
        once[record.identity] = record
        times[record.identity] += 1
    delivered = sum(record.readings for record in once.values())
    by_device: defaultdict[str, list[Held]] = defaultdict(list)
    for record in once.values():
        by_device[record.device].append(record)
    counts = {name: _count(at, by_device[name], lives) for name, at in said.items()}
    cut = sum(count.cut * _readings_each(by_device[n]) for n, count in counts.items())
    missing = max(0, told.accepted - told.lost - delivered)
    missing += sum(count.missing for count in counts.values())
    seconds = sum(life.ended_s - life.began_s for life in lives)
    return Summary(
        accepted=told.accepted,
        delivered=delivered,
        duplicates=sum(once[i].readings * (n - 1) for i, n in times.items()),
        missing=missing + max(0, round(cut) - told.at_most),
        counted_lost=told.lost + told.at_most,
        readings_per_s=round(delivered / seconds, 1) if seconds else 0.0,
        seconds=round(seconds, 1),
        devices=counts,
    )


def _count(said: Sequence[float], held: Sequence[Held], lives: Sequence[Life]) -> DeviceCount:
    """Count what was said during the daemon's lives, and what became of it."""
    stamps = sorted(record.wall_s for record in held)
    produced = found = cut = 0
    for life in lives:
        spoken = [s for s in said if life.began_s <= s <= life.ended_s]
        until_s = life.ended_s + (0.0 if life.killed else ANSWERED_S)
        answered = [s for s in stamps if life.began_s <= s <= until_s]
        lost = len(spoken) - _paired(spoken, answered)
        produced += len(spoken)
        found += len(spoken) - lost
        if life.killed:
            late = [s for s in _passed_over(spoken, answered) if s >= life.ended_s - KILL_WINDOW_S]
            cut += min(lost, len(late))
    return DeviceCount(produced, found, cut)


def _readings_each(held: Sequence[Held]) -> float:
    return sum(record.readings for record in held) / len(held) if held else 0.0


def _paired(spoken: Sequence[float], stamps: Sequence[float]) -> int:
    """How many of the instants have a stamp of their own at or some time after them, in order."""
    pairs, free = 0, iter(stamps)
    stamp = next(free, None)
    for instant in spoken:
        while stamp is not None and stamp < instant - CLOCKS_S:
            stamp = next(free, None)
        if stamp is not None and stamp <= instant + ANSWERED_S:
            pairs += 1
            stamp = next(free, None)
    return pairs


def _passed_over(spoken: Sequence[float], stamps: Sequence[float]) -> list[float]:
    """The instants that are nobody's, when each stamp belongs to the last one before it."""
    taken, free = set(), list(spoken)
    for stamp in stamps:
        before = [instant for instant in free if instant <= stamp + CLOCKS_S]
        taken.update(before[-1:])
        free = free[len(before) :]
    return [instant for instant in spoken if instant not in taken]
