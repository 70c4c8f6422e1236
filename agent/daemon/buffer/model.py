"""What the parts of the buffer tell each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from agent.daemon.buffer.codec import Entry
from agent.daemon.buffer.eras import Era
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.lives import Lives
from agent.daemon.buffer.ranges import Settled


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
    forgotten: bool = False  # saving it removes it, and all that is set aside for it
    spent: tuple[int, int] = (0, 0)  # month (202611) and bytes on the wire in it
    resend: int = 0  # what is acknowledged up to here goes again: the destination forgot it

    @property
    def answered(self) -> Count:
        """What the store has accepted at least: that before it, and all that is settled."""
        return self.since + self.delivered + self.rejected + self.lost

    def waiting(self, accepted: Count) -> Count:
        """What is neither delivered, nor set aside, nor lost."""
        return accepted - self.answered

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
            self.forgotten,
            self.spent,
            self.resend,
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """One record a destination judged and refused, as it is set aside.

    Attributes:
        gone: it is set aside no more; without epoch: nothing of the destination is.
    """

    destination: str
    epoch: str
    seq: int
    at_ms: int
    reason: str
    readings: int
    body: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class LossEntry:
    """One line of the loss ledger; numbers are those inside the store.

    Attributes:
        told: the cloud knows it.
        above: its key is to be above this: keys told of a salvaged ledger are not given out again.
    """

    destination: str
    epoch: str
    first: int
    last: int
    count: Count
    from_ms: int
    to_ms: int
    reason: Loss
    exact: bool = True
    told: bool = False
    above: int = 0

    def joined(self, later: "LossEntry") -> "LossEntry | None":
        """Both as one line where they touch, else None."""
        if later.above or later.epoch != self.epoch:
            return None
        if not self.first <= later.first <= self.last + 1:
            return None
        return replace(
            self,
            last=max(self.last, later.last),
            count=self.count + later.count,
            from_ms=min(self.from_ms, later.from_ms),
            to_ms=max(self.to_ms, later.to_ms),
            exact=self.exact and later.exact,
            told=False,
        )


@dataclass(frozen=True, slots=True)
class Oldest:
    """Where the oldest unsettled sample stands: its number, its era and the boot clock."""

    number: int
    era: int
    us: int


@dataclass(slots=True)
class Opened:
    """What the event loop has to know of a store that was opened.

    Attributes:
        cursors: of all destinations, configured or not.
        urgent: numbers of all urgent samples on the card.
        oldest: by destination, what it has waited for longest.
        thinned: numbers through which the store is thinned to the minute and to the quarter.
        lost: readings by destination and reason, as the ledger has them.
        news: sentences for people.
        broken: why this store is one in RAM, or None.
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
    broken: str | None = None
