"""What happens on the store's own thread: one transaction per order, and reads between them.

Invariants: numbers are given out in order and only here; a number is visible outside only after the
commit that holds it; writing an order again writes the same rows under the same numbers.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from agent.daemon.buffer import rows
from agent.daemon.buffer.codec import Shapes, encode, row_crc
from agent.daemon.buffer.cutting import cut
from agent.daemon.buffer.database import PAGE_BYTES, Database
from agent.daemon.buffer.eras import Eras
from agent.daemon.buffer.lives import Lives
from agent.daemon.buffer.model import Chunk, Count, Cursor, Done, Oldest, Opened, Order
from agent.daemon.buffer.ranges import Settled
from agent.daemon.buffer.reading import COLUMNS, Ask, Found, read
from agent.sample import Instant

DELETES_MAX = 2000  # chunks a transaction may delete: a drained backlog goes in steps
ATTEMPTS = 3  # an I/O error means "outcome unknown": reopen, look, write the same again

PUT = f"insert or replace into chunk ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
DELETE = (
    "delete from chunk where seq in"
    " (select seq from chunk where seq >= ? and last <= ? and seq <= ? order by seq limit ?)"
)
NEWEST = "select last, total, boot, last_ms from chunk order by seq desc limit 1"
URGENT = "select seq from chunk where lane = 1 order by seq"
FIRST = (
    "select boot, first_ms from chunk where seq >="
    " coalesce((select max(seq) from chunk where seq <= ?1), ?1) and last >= ?1"
    " order by seq limit 1"
)


class BrokenError(Exception):
    """The disk does not take what it is given; the text says what it answered."""


class Store:
    """The tables. Every method runs on the one thread that owns the connection."""

    def __init__(self, file: Path, page_count_max: int, *, synchronous: str = "full") -> None:
        self.lives = Lives()
        self.eras = Eras()
        self.accepted = Count()
        self.starts = 0
        self._db = Database(file, page_count_max=page_count_max, synchronous=synchronous)
        self._shapes = Shapes()
        self._next_loss = 1

    def open(self, now: Instant, destinations: Sequence[str]) -> Opened:
        """Open, take up what is known, and commit that this start took place.

        A destination that was not there before starts at the present end.

        Raises:
            Outdated, Newer, Unusable, sqlite3.Error
        """
        self._db.open()
        cursors = {cursor.name: cursor for cursor in self._load()}
        for name, cursor in cursors.items():
            cursor.configured = name in destinations
        for name in destinations:
            end = Settled(self.accepted.samples)
            cursors.setdefault(name, Cursor(name, end, self.accepted))
        self.starts += 1
        with self._db.transaction():
            if not self.lives.known:
                life = self.lives.begin(self.accepted.samples + 1, reason="created")
                rows.save_life(self._db, life)
            self.eras.of(now, self.accepted.samples)
            self._save_new()
            self._save_meta(now, self.accepted)
            for cursor in cursors.values():
                rows.save_cursor(self._db, cursor)
        self._forget_new()
        return self._opened(list(cursors.values()))

    def commit(self, order: Order) -> Done:
        """Make an order durable; when it raises, the same order may be given again.

        Raises:
            BrokenError: the disk refused three times.
        """
        for left in reversed(range(ATTEMPTS)):
            try:
                done = self._commit(order)
            except sqlite3.Error as error:
                if not left:
                    raise BrokenError(_said(error)) from error
                self._reopen()
            else:
                done.trouble = self._checkpointed()
                return done
        raise AssertionError

    def read(self, ask: Ask) -> Found:
        """Read unsettled samples, oldest first; a damaged row is left out and named."""
        return read(self._db, self._shapes.by_id, ask)

    def close(self, now: Instant) -> None:
        """Write down where we are, empty the WAL, let go."""
        with self._db.transaction():
            self._save_meta(now, self.accepted)
        self._db.checkpoint()
        self._db.close()

    def _opened(self, cursors: list[Cursor]) -> Opened:
        return Opened(
            cursors=cursors,
            lives=self.lives,
            eras=list(self.eras.by_id.values()),
            accepted=self.accepted,
            urgent=[row[0] for row in self._db.rows(URGENT)],
            oldest={cursor.name: self._oldest(cursor.settled) for cursor in cursors},
            used_bytes=self._db.pages()[0] * PAGE_BYTES,
        )

    def _oldest(self, settled: Settled) -> Oldest | None:
        number = settled.next_missing(1)
        row = self._db.one(FIRST, (number,))
        return Oldest(number, row[0], row[1] * 1000) if row else None

    def _load(self) -> list[Cursor]:
        self._shapes = Shapes(rows.shapes(self._db))
        self.lives = Lives(rows.lives(self._db))
        cursors = list(rows.cursors(self._db))
        floor, readings, self.starts, running_ns = rows.meta(self._db) or (1, 0, 0, 0)
        last, total, era, last_ms = self._db.one(NEWEST) or (0, 0, 0, 0)
        settled = max((cursor.settled.last for cursor in cursors), default=0)
        self.accepted = Count(max(floor - 1, last, settled), max(readings, total))
        self.eras = Eras(rows.eras(self._db), running_ns, newest=(era, last_ms * 1_000_000))
        self._next_loss = self._db.one("select coalesce(max(id), 0) + 1 from loss")[0]
        return cursors

    def _commit(self, order: Order) -> Done:
        if order.chunks is None:
            self.eras.of(order.now, order.handed)
            order.chunks = cut(order.samples, self.accepted, self.eras, order.handed)
        chunks, accepted = order.chunks, self.accepted
        if chunks:
            accepted = Count(chunks[-1].last, chunks[-1].total)
        with self._db.transaction():
            size = sum(self._put(chunk) for chunk in chunks)
            self._save_new()
            deleted = self._settle(order)
            if deleted:
                self._save_meta(order.now, accepted)
        eras = list(self.eras.changed.values())
        self._forget_new()
        self.accepted = accepted
        self._next_loss += len(order.losses)
        self._db.wrote(size)
        pages, free = self._db.pages()
        return Done(
            chunks=chunks,
            eras=eras,
            accepted=accepted,
            bytes=size,
            used_bytes=pages * PAGE_BYTES,
            free_bytes=free * PAGE_BYTES,
            written_bytes=self._db.written_bytes,
            more_to_delete=deleted >= DELETES_MAX,
        )

    def _put(self, chunk: Chunk) -> int:
        codec, body = encode(chunk.entries, self._shapes)
        numbers = (
            chunk.first,
            chunk.last,
            len(chunk.entries),
            chunk.readings,
            chunk.total,
            chunk.first_us // 1000,
            chunk.last_us // 1000,
            chunk.era,
            int(chunk.lane),
            codec,
        )
        self._db.execute(PUT, (*numbers, row_crc(numbers, body), body))
        return len(body)

    def _settle(self, order: Order) -> int:
        for cursor in order.cursors:
            rows.save_cursor(self._db, cursor)
        for refused in order.rejected:
            rows.save_refused(self._db, refused)
        for place, loss in enumerate(order.losses):
            rows.save_loss(self._db, self._next_loss + place, loss)
        left = DELETES_MAX
        for first, last in order.delete:
            if left > 0:
                left -= self._db.execute(DELETE, (first, last, last, left)).rowcount
        return DELETES_MAX - left

    def _save_new(self) -> None:
        for shape in self._shapes.new:
            rows.save_shape(self._db, shape)
        for era in self.eras.changed.values():
            rows.save_era(self._db, era)

    def _forget_new(self) -> None:
        self._shapes.new.clear()
        self.eras.changed.clear()

    def _save_meta(self, now: Instant, accepted: Count) -> None:
        running_ns = self.eras.running_ns(now)
        rows.save_meta(self._db, accepted.samples + 1, accepted.readings, self.starts, running_ns)

    def _checkpointed(self) -> str | None:
        """Checkpoint when it is time; what the disk says then does not undo the commit."""
        try:
            self._db.checkpoint_when_due()
        except sqlite3.Error as error:
            self._reopen()
            return _said(error)
        return None

    def _reopen(self) -> None:
        self._db.close()
        try:
            self._db.open()
        except sqlite3.Error as error:
            raise BrokenError(_said(error)) from error


def _said(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return f"{name}: {error}"
