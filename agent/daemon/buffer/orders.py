"""What a transaction is asked to hold, and what it left behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.daemon.buffer.eras import Era
from agent.daemon.buffer.lives import Life, Lives
from agent.daemon.buffer.model import Chunk, Count, Cursor, LossEntry, Refused, Space
from agent.daemon.buffer.ranges import Range
from agent.sample import Instant, Sample


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the rescue of one quarantined store has come.

    Attributes:
        first, numbers: the block of numbers set aside for it.
        through: the last of its own numbers that was brought in.
        eras: ours by its own.
        brought: by destination, what it is owed again so far.
    """

    place: str
    first: int
    numbers: int
    through: int = 0
    eras: Mapping[int, int] = field(default_factory=dict)
    brought: Mapping[str, Count] = field(default_factory=dict)
    done: bool = False

    @property
    def last(self) -> int:
        """End of the block."""
        return self.first + self.numbers - 1

    def set_aside(self, cursor: Cursor) -> None:
        """One destination waits for nothing in this block so far."""
        cursor.settled.add(self.first, self.last)
        cursor.since += Count(self.numbers, 0)


@dataclass(frozen=True, slots=True)
class Wreckage:
    """What a block of numbers has to be set aside for.

    Attributes:
        last: the highest number in the quarantined store.
    """

    place: str
    last: int
    lives: Sequence[Life]
    eras: Sequence[Era]


@dataclass(frozen=True, slots=True)
class Rescued:
    """A chunk that was salvaged, with its new numbers, and to whom which of them are owed."""

    chunk: Chunk
    owed: Mapping[str, Sequence[Range]]
    counts: Mapping[str, Count]

    def owe(self, cursor: Cursor) -> None:
        """Let one destination wait for it."""
        for first, last in self.owed.get(cursor.name, ()):
            cursor.settled.remove(first, last)
        cursor.since -= self.counts.get(cursor.name, Count())


@dataclass(slots=True)
class Order:
    """What the next transaction holds.

    Attributes:
        now: the present, so that the first trusted moment becomes an anchor even without samples.
        handed: highest number that may have left with the anchors known so far.
        drop: numbers of chunks that are given up, whoever still waits for them.
        replace: thinned chunks that come in their place.
        thinned: numbers through which the store is thinned to the minute and to the quarter.
        wreckage: set a block of numbers aside for it.
        rescued: chunks that are put into such a block.
        progress: noted with them.
        delete: numbers that every destination has settled.
        renames: from this number on, samples go by names that nobody else can have given out.
    """

    samples: list[Sample]
    now: Instant
    handed: int = 0
    renames: int | None = None
    drop: list[Range] = field(default_factory=list)
    replace: list[Chunk] = field(default_factory=list)
    thinned: tuple[int, int] | None = None
    wreckage: Wreckage | None = None
    block: Progress | None = None  # the one for the wreckage, once it has its numbers
    rescued: list[Rescued] = field(default_factory=list)
    progress: Progress | None = None
    cursors: list[Cursor] = field(default_factory=list)
    rejected: list[Refused] = field(default_factory=list)
    losses: list[LossEntry] = field(default_factory=list)
    delete: list[Range] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)  # the samples, once they have their numbers
    numbered: bool = False
    renamed: bool = False
    ledger: dict[int, LossEntry] = field(default_factory=dict)  # losses that have a row
    entered: int = 0  # how many of the losses those are

    def moved(self, cursor: Cursor) -> Cursor:
        """Where a destination of this order is once it is committed; again is the same."""
        if self.block is None and not self.rescued:
            return cursor
        moved = cursor.copy()
        if self.block is not None:
            self.block.set_aside(moved)
        for rescued in self.rescued:
            rescued.owe(moved)
        return moved

    def number(self, chunks: list[Chunk]) -> None:
        """Its samples have their numbers, for good: writing it again writes the same."""
        self.chunks, self.numbered = chunks, True


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
        rescued: salvaged chunks that are there now.
        urgent: numbers of urgent samples that were held back while nobody knew where they were.
        reserved: the block of numbers that was asked for.
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
    rescued: list[Rescued] = field(default_factory=list)
    urgent: list[int] = field(default_factory=list)
    reserved: Progress | None = None
    broken: str | None = None
    damaged: bool = False
