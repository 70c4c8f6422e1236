"""When the disk refuses: samples live in a bounded ring of RAM until it takes them again.

What was being written when it refused may or may not have arrived: that order is held back and sent
nowhere until the disk answers. What comes after it has an epoch of its own, so its names can never
collide with the disk's.
"""

import sqlite3
from collections import Counter, deque
from dataclasses import replace

from agent.daemon.buffer import rows
from agent.daemon.buffer.cutting import after, cut, size_of
from agent.daemon.buffer.database import Database
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.lives import Lives
from agent.daemon.buffer.model import Chunk, Count, Cursor, Kind, LossEntry, Refused
from agent.daemon.buffer.orders import Done, Order, Rescued
from agent.daemon.buffer.ranges import Range
from agent.daemon.buffer.reading import Ask, Found
from agent.daemon.buffer.tables import Tables
from agent.daemon.buffer.trouble import BrokenError, Trouble
from agent.sample import Instant

RING_BYTES = 16 << 20
Ranges = list[Range]

STEP = 20  # chunks deleted in one go on a disk that may be full
TRY_AGAIN_NS = 60_000_000_000
UNSAID = (
    "delete from life where abs(first) > ?"  # of an attempt that arrived although the disk erred
)


class Refuge:
    """The ring, and what the disk is owed.

    Args:
        tables: of the database that refused.
        unsure: the order whose outcome nobody knows; written again first, under the same numbers.
        error: what the disk said.
    """

    def __init__(self, db: Database, tables: Tables, unsure: Order, error: BrokenError) -> None:
        self.reason = str(error)
        self.damaged = error.kind in {Trouble.DAMAGED, Trouble.UNREADABLE}
        self.ring_bytes = RING_BYTES
        self.accepted = after(unsure.chunks, tables.accepted)
        self._db = db
        self._tables = tables
        self._unsure = unsure
        self._first = self.accepted.samples + 1
        self._try_at_ns = unsure.now.mono_ns + TRY_AGAIN_NS
        self._ring: deque[Chunk] = deque()
        self._bytes = 0
        self._cursors: dict[str, Cursor] = {}
        self._rejected: list[Refused] = []
        self._losses: list[LossEntry] = []
        self._deletes: Ranges = []
        self._block, unsure.block = unsure.block, None
        if self._block is not None:
            tables.forget(self._block)
        self._before = tables.lives.current
        tables.lives.begin(self._first, reason="ram")

    @property
    def disk_end(self) -> int:
        """The last number that is on the card for sure."""
        return self._tables.accepted.samples

    @property
    def held(self) -> Count:
        """What is nowhere else, that included which had to leave: nothing of it is on the card."""
        chunks = [*self._unsure.chunks, *self._ring]
        left = [x for x in (*self._unsure.losses, *self._losses) if x.reason is Loss.RAM_OVERFLOW]
        gone = Counter[str]()
        for loss in left:
            gone[loss.destination] += loss.count.readings
        samples = sum(len(chunk.entries) for chunk in chunks)
        return Count(samples, sum(c.readings for c in chunks) + max(gone.values(), default=0))

    @property
    def held_back(self) -> list[int]:
        """The urgent samples nobody was told of, because nobody knew where they were."""
        return [chunk.first for chunk in self._unsure.chunks if chunk.lane is Kind.URGENT]

    @property
    def rescued(self) -> list[Rescued]:
        """Salvaged chunks that nobody was told of."""
        return self._unsure.rescued

    def due(self, now: Instant) -> bool:
        """Whether the disk should be tried again."""
        return now.mono_ns >= self._try_at_ns

    def refused_again(self, now: Instant, reason: str) -> None:
        """It does not answer yet."""
        self.reason = reason
        self._try_at_ns = now.mono_ns + TRY_AGAIN_NS

    def begin(self) -> Done:
        """Tell that nothing of the unsure order is visible yet."""
        return self._done([], [])

    def keep(self, order: Order) -> Done:
        """Take an order in; the oldest ordinary chunks leave when there is no room for it."""
        eras = self._tables.eras
        order.number(cut(order.samples, self.accepted, eras, order.handed))
        eras.of(order.now, order.handed)
        self.accepted = after(order.chunks, self.accepted)
        self._cursors |= {cursor.name: cursor for cursor in order.cursors}
        self._rejected += order.rejected
        self._losses += order.losses
        self._unsure.rescued += order.rescued
        self._unsure.progress = order.progress or self._unsure.progress
        for chunk in order.chunks:
            self._ring.append(chunk)
            self._bytes += _size(chunk)
        self._deletes = order.delete or self._deletes
        for first, last in order.delete:
            self._forget(first, last)
        dropped = []
        while self._bytes > self.ring_bytes and self._ring:
            dropped.append(self._drop())
        return self._done(order.chunks, dropped)

    def read(self, ask: Ask) -> Found:
        """As from the card."""
        found = Found(incomplete=True)
        for chunk in self._ring:
            if chunk.last < ask.start or ask.settled.covers(chunk.first, chunk.last):
                continue
            if chunk.first > ask.end or ask.full(found):
                break
            if ask.lane is None or ask.lane is chunk.lane:
                found.add(chunk)
        return found

    def make_room(self, now: Instant) -> None:
        """Delete what everybody has, in steps so small that a full disk has room for each.

        Raises:
            sqlite3.Error: not even that.
        """
        cursors = list(self._cursors.values())
        left = sum(last for _, last in self._deletes)
        while left:
            with self._db.transaction():
                self._tables.settle(Order([], now, cursors=cursors))
                gone = [self._tables.delete(numbers, STEP) for numbers in self._deletes]
            self._db.checkpoint()
            left = sum(gone)

    def give_back(self, now: Instant) -> None:
        """Write everything to the disk, in one transaction.

        Raises:
            sqlite3.Error: it still refuses.
        """
        tables, before = self._tables, self._before
        owed = self._unsure  # some of it may be on the card already, under the same numbers
        owed.cursors = [
            *({cursor.name: cursor for cursor in owed.cursors} | self._cursors).values()
        ]
        owed.rejected += self._rejected
        owed.losses += self._losses
        self._rejected, self._losses = [], []  # once: this may be tried again and again
        in_ram = Lives(tables.lives.known)  # holds as long as the disk has not said yes
        try:
            with self._db.transaction():
                self._put_all(owed)
                tables.settle(owed)
                seq = self._first - before.shift
                following = self.accepted.samples + 1
                tables.lives.begin(following, epoch=before.epoch, seq=seq, reason="disk again")
                self._db.execute(UNSAID, (self._first,))
                tables.save_lives()
                tables.save_meta(now, self.accepted)
        except sqlite3.Error:
            tables.lives = in_ram
            raise
        tables.committed(self.accepted)

    def _put_all(self, owed: Order) -> None:
        self._tables.put_all(owed)
        for chunk in self._ring:
            self._tables.put(chunk)
        if self._block is not None:  # its numbers went to what is in the ring
            rows.save_progress(self._db, replace(self._block, done=True))
        self._tables.save_new()

    def _done(self, chunks: list[Chunk], dropped: list[Chunk]) -> Done:
        tables = self._tables
        return Done(
            chunks=chunks,
            eras=list(tables.eras.changed.values()),
            accepted=self.accepted,
            space=tables.space,
            written_bytes=self._db.written_bytes,
            lives=Lives(tables.lives.known),
            dropped=dropped,
            broken=self.reason,
            damaged=self.damaged,
        )

    def _drop(self) -> Chunk:
        """The oldest ordinary chunk, or the oldest alarm when nothing else is left."""
        ordinary = (n for n, chunk in enumerate(self._ring) if chunk.lane is not Kind.URGENT)
        place = next(ordinary, 0)
        chunk = self._ring[place]
        del self._ring[place]
        self._bytes -= _size(chunk)
        return chunk

    def _forget(self, first: int, last: int) -> None:
        self._ring = deque(c for c in self._ring if c.first < first or c.last > last)
        self._bytes = sum(map(_size, self._ring))


def _size(chunk: Chunk) -> int:
    return sum(size_of(values.values()) for _, _, _, values in chunk.entries)
