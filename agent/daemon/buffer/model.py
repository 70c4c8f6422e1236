"""What the parts of the buffer tell each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from agent.daemon.buffer.codec import Entry
from agent.daemon.buffer.eras import Era
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.lives import Lives
from agent.daemon.buffer.ranges import Range, Settled
from agent.sample import Instant, Sample


class Kind(IntEnum):
    """Column `lane` of a chunk."""

    ORDINARY = 0
    URGENT = 1
    RESCUED = 2  # from a quarantined store or from RAM: backlog, wherever its numbers lie


@dataclass(frozen=True, slots=True)
class Count:
    """So many samples and readings."""

    samples: int = 0
    readings: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.samples + other.samples, self.readings + other.readings)

    def __sub__(self, other: "Count") -> "Count":
        return Count(self.samples - other.samples, self.readings - other.readings)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive committed samples.

    Attributes:
        first, last: the numbers it covers; thinning may have taken some between.
        total: readings accepted by the store up to and including this chunk.
        first_us, last_us: boot clock of its era.
    """

    first: int
    last: int
    readings: int
    total: int
    lane: Kind
    era: int
    entries: Sequence[Entry]
    thinned: int = 0  # added to the codec: THINNED or THINNED_TWICE

    @property
    def first_us(self) -> int:
        """Boot clock of its first sample, microseconds."""
        return self.entries[0][2]

    @property
    def last_us(self) -> int:
        """Boot clock of its last sample, microseconds."""
        return self.entries[-1][2]


@dataclass(frozen=True, slots=True)
class Space:
    """Pages of the database, in bytes; the free ones are part of the used."""

    used_bytes: int
    free_bytes: int


@dataclass(slots=True)
class Cursor:
    """Where one destination is.

    Invariant: accepted since `since` = delivered + rejected + lost + waiting, in samples and in
    readings; a number is settled exactly when it is counted in one of the first three.
    """

    name: str
    settled: Settled
    since: Count
    delivered: Count = field(default_factory=Count)
    rejected: Count = field(default_factory=Count)
    lost: Count = field(default_factory=Count)
    configured: bool = True

    def waiting(self, accepted: Count) -> Count:
        """What is neither delivered, nor set aside, nor lost."""
        return accepted - self.since - self.delivered - self.rejected - self.lost

    def copy(self) -> "Cursor":
        """An independent one."""
        return Cursor(
            self.name,
            self.settled.copy(),
            self.since,
            self.delivered,
            self.rejected,
            self.lost,
            self.configured,
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """One record a destination judged and refused, as it is set aside."""

    destination: str
    epoch: str
    seq: int
    at_ms: int
    reason: str
    readings: int
    body: str


@dataclass(frozen=True, slots=True)
class LossEntry:
    """One line of the loss ledger; numbers are those inside the store."""

    destination: str
    epoch: str
    first: int
    last: int
    count: Count
    from_ms: int
    to_ms: int
    reason: Loss
    exact: bool = True

    def joined(self, later: "LossEntry") -> "LossEntry | None":
        """Both as one line where they touch, else None."""
        if later.epoch != self.epoch or not self.first <= later.first <= self.last + 1:
            return None
        return replace(
            self,
            last=max(self.last, later.last),
            count=self.count + later.count,
            from_ms=min(self.from_ms, later.from_ms),
            to_ms=max(self.to_ms, later.to_ms),
            exact=self.exact and later.exact,
        )


@dataclass(slots=True)
class Order:
    """What the next transaction holds.

    Attributes:
        now: the present, so that the first trusted moment becomes an anchor even without samples.
        handed: highest number that may have left with the anchors known so far.
        drop: numbers of chunks that are given up, whoever still waits for them.
        replace: thinned chunks that come in their place.
        thinned: numbers through which the store is thinned to the minute and to the quarter.
        delete: numbers that every destination has settled.
    """

    samples: list[Sample]
    now: Instant
    handed: int = 0
    drop: list[Range] = field(default_factory=list)
    replace: list[Chunk] = field(default_factory=list)
    thinned: tuple[int, int] | None = None
    cursors: list[Cursor] = field(default_factory=list)
    rejected: list[Refused] = field(default_factory=list)
    losses: list[LossEntry] = field(default_factory=list)
    delete: list[Range] = field(default_factory=list)
    chunks: list[Chunk] | None = None  # the samples, once they have their numbers
    ledger: dict[int, LossEntry] = field(default_factory=dict)  # losses that have a row
    entered: int = 0  # how many of the losses those are


@dataclass(slots=True)
class Done:
    """What a transaction left behind.

    Attributes:
        eras: those that are new or know better now.
        accepted: samples (the highest number) and readings the store has accepted in its life.
        bytes: of the chunks, packed.
        more_to_delete: the deletes were cut short; go on with the next commit.
        trouble: what the disk answered to a checkpoint, which loses nothing but is no good sign.
        lives: all of them, where a new one began.
        dropped: chunks that had to leave the ring in RAM.
        broken: the disk refuses, so all this is in RAM only.
        damaged: it refuses because the store is damaged; only a new start helps.
    """

    chunks: list[Chunk]
    eras: list[Era]
    accepted: Count
    space: Space
    written_bytes: int
    bytes: int = 0
    more_to_delete: bool = False
    trouble: str | None = None
    lives: Lives | None = None
    dropped: list[Chunk] = field(default_factory=list)
    broken: str | None = None
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Oldest:
    """Where the oldest unsettled sample stands: its number, its era and the boot clock."""

    number: int
    era: int
    us: int


@dataclass(frozen=True, slots=True)
class Opened:
    """What the event loop has to know of a store that was opened.

    Attributes:
        cursors: of all destinations, configured or not.
        urgent: numbers of all urgent samples on the card.
        oldest: by destination, what it has waited for longest.
        thinned: numbers through which the store is thinned to the minute and to the quarter.
        lost: readings by destination and reason, as the ledger has them.
    """

    cursors: list[Cursor]
    lives: Lives
    eras: list[Era]
    accepted: Count
    urgent: list[int]
    oldest: dict[str, Oldest | None]
    repeated: int
    starts: int
    space: Space
    thinned: tuple[int, int]
    lost: Mapping[str, Mapping[str, int]]
    news: list[str]
