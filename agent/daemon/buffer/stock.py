"""Everything committed, as the event loop sees it: shared by all outboxes."""

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agent.clock import Clock
from agent.cloud import Limits, Record
from agent.daemon.buffer.codec import Entry
from agent.daemon.buffer.eras import FUTURE_NS, QUALITY, Anchor, Era
from agent.daemon.buffer.lives import SURPASSED, Lives
from agent.daemon.buffer.model import Chunk, Count, Cursor, Kind, Opened
from agent.daemon.buffer.orders import Done
from agent.daemon.buffer.ranges import Settled
from agent.daemon.buffer.shelf import Shelf

READING_BYTES = 7.0  # of a chunk of a hundred, with its share of the row and the page
FRESH = 0.1  # how much one commit counts in the mean


@dataclass(slots=True)
class Stock:
    """What was committed, and what its numbers and its boot clock mean.

    Attributes:
        urgent: numbers of urgent samples that not everybody has settled, ascending.
        version: counts what may be news for a waiting lane.
        handed: highest number that was ever taken, whose stamp is therefore fixed.
        opened: highest number when the store was opened.
        doubted: a destination knows of names that were never given out here.
        leaving: numbers whose chunks are dropped or thinned by a commit that is not made yet.
    """

    clock: Clock
    lives: Lives = field(default_factory=Lives)
    eras: dict[int, Era] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)
    accepted: Count = field(default_factory=Count)
    urgent: list[int] = field(default_factory=list)
    bytes_per_reading: float = READING_BYTES
    version: int = 0
    handed: int = 0
    opened: int = 0
    doubted: bool = False
    leaving: Settled = field(default_factory=Settled)

    def begin(self, opened: Opened) -> None:
        """Take up what the store knows."""
        self.lives = opened.lives
        self.eras = {era.id: era for era in opened.eras}
        self.accepted = opened.accepted
        self.urgent = opened.urgent
        self.handed = self.opened = opened.accepted.samples
        self.version += 1

    @property
    def epoch(self) -> str:
        """Name of the life that new samples are born into; empty before the store is open."""
        return self.lives.current.epoch if self.lives.known else ""

    def surpassed(self, epoch: str, seq: int) -> bool:
        """Whether this name of the present life was never given out.

        Then the store is an old copy, or another gateway runs with one; a destination that goes by
        names would take new samples for known ones. Names that were made because of it are random:
        nobody can know more of them, and who says so is not believed again.
        """
        life = self.lives.current
        ours = epoch == life.epoch and life.reason != SURPASSED
        return ours and seq > self.accepted.samples - life.shift

    def renames(self, cursors: Sequence[Cursor]) -> int | None:
        """From where on names are in doubt: what came since the start and nobody has settled."""
        if not self.doubted:
            return None
        self.doubted = False
        return max([self.opened, *(cursor.settled.last for cursor in cursors)]) + 1

    def add(self, done: Done) -> bool:
        """Take in what a transaction left; returns whether something urgent is in it."""
        for era in done.eras:
            self.eras[era.id] = era
        if done.lives is not None:
            self.lives = done.lives
            self.shelf.part(readable=not done.broken)
        urgent = bool(done.urgent)
        for number in done.urgent:
            insort(self.urgent, number)
        for chunk in done.chunks:
            self.shelf.add(chunk)
            if chunk.lane is Kind.URGENT:
                self.urgent.append(chunk.first)
                urgent = True
        if done.chunks:
            readings = (done.accepted - self.accepted).readings
            self.bytes_per_reading += (done.bytes / readings - self.bytes_per_reading) * FRESH
        self.accepted = done.accepted
        if done.chunks or done.eras or done.lives:
            self.version += 1
        return urgent

    def staying(self, chunks: list[Chunk]) -> list[Chunk]:
        """Without those that are dropped or thinned by a commit that is not made yet."""
        if not self.leaving.last:
            return chunks
        return [chunk for chunk in chunks if not self.leaving.covers(chunk.first, chunk.last)]

    def have_left(self) -> bool:
        """What was to leave is on the card no more; returns whether there was any."""
        any_left = self.leaving.last > 0
        if any_left:
            self.leaving = Settled()
            self.version += 1
        return any_left

    def running_ns(self) -> int:
        """How long the gateway has run in its life."""
        now = self.clock.now()
        here = [era.running_at(now.mono_ns) for era in self.eras.values() if era.boot == now.boot]
        return max(here, default=0)

    def running_at(self, era: int, us: int) -> int:
        """The same, at a moment of an era."""
        known = self.eras.get(era)
        return known.running_at(us * 1000) if known else 0

    def settled(self, through: int) -> None:
        """Every destination has all up to here."""
        self.shelf.settled(through)
        del self.urgent[: bisect_right(self.urgent, through)]

    def wall_ns(self, number: int, era: int, us: int) -> int | None:
        """What the time of a sample is believed to be."""
        known = self.eras.get(era)
        anchor = known.anchor(number, trusted_only=False) if known else None
        return us * 1000 + anchor.offset_ns if anchor else None


@dataclass(slots=True)
class Picking:
    """Records for one batch, out of chunks that may hold more than is wanted.

    Attributes:
        expected: the next number, if none is missing.
        holes: by number, from where on nothing lies before it.
        first, last: the numbers of the records.
        passed: samples were left out because they are kept for another time.
    """

    stock: Stock
    settled: Settled
    limits: Limits
    expected: int
    records: list[Record] = field(default_factory=list)
    holes: dict[int, int] = field(default_factory=dict)
    first: int = 0
    last: int = 0
    blocked: bool = False
    passed: bool = False
    _readings: int = 0

    def pick(self, chunk: Chunk) -> bool:
        """Take what fits of one chunk; returns whether there is room for more."""
        era, takes = self.stock.eras.get(chunk.era), self.limits.takes
        latest_ns, handed = self._latest_ns(), self.stock.handed
        anchor: Anchor | None = None
        life, beyond = None, 0
        for number, device, us, values in self._wanted(chunk):
            if takes and not takes(device):
                self.passed, self.expected = True, number + 1
                continue
            if era is not None and (anchor is None or len(era.anchors) > 1):
                anchor = era.anchor(number, trusted_only=self.limits.trusted_time)
            time_ns = us * 1000 + anchor.offset_ns if anchor else latest_ns + 1
            if anchor is None or (time_ns > latest_ns and number > handed):
                self.blocked = True
                return False
            if not self._fits(len(values)):
                return False
            if life is None or number >= beyond:
                life, beyond = self.stock.lives.stretch(number)
            seq, quality = number - life.shift, QUALITY[anchor.source]
            self.records.append(Record(life.epoch, seq, device, time_ns, values, quality))
            if number > self.expected:
                self.holes[number] = self.expected
            self.expected = number + 1
            self.first = self.first or number
            self.last = number
        return True

    def too_old(self, chunk: Chunk) -> bool:
        """Whether the destination would refuse all of it for its age, by a clock to be believed."""
        oldest_s = self.limits.oldest_s
        if oldest_s is None or not (now := self.stock.clock.now()).trusted:
            return False
        last_ns = self.stock.wall_ns(chunk.last, chunk.era, chunk.last_us)
        return last_ns is not None and last_ns < now.wall_ns - oldest_s * 1e9

    def _wanted(self, chunk: Chunk) -> Iterator[Entry]:
        settled = self.settled
        if settled.last < chunk.first:
            return iter(chunk.entries)
        return (entry for entry in chunk.entries if entry[0] not in settled)

    def _fits(self, readings: int) -> bool:
        if self.records and (
            len(self.records) >= self.limits.records
            or self._readings + readings > self.limits.readings
        ):
            return False
        self._readings += readings
        return True

    def _latest_ns(self) -> int:
        """Nothing stamped later than this is sent; without a trusted clock nobody can tell."""
        now = self.stock.clock.now()
        return now.wall_ns + FUTURE_NS if now.trusted else 1 << 63
