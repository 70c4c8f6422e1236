"""What a transaction writes, and what is loaded when a store is opened."""

from collections.abc import Sequence
from itertools import groupby

from agent.daemon.buffer import ledger, rows
from agent.daemon.buffer.codec import Shapes, encode, row_crc
from agent.daemon.buffer.database import PAGE_BYTES, Database, Unusable
from agent.daemon.buffer.eras import Eras
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.lives import SURPASSED, Lives
from agent.daemon.buffer.model import Chunk, Count, Cursor, LossEntry, Oldest, Opened, Space
from agent.daemon.buffer.orders import Order, Progress, Wreckage
from agent.daemon.buffer.ranges import Range, Settled
from agent.daemon.buffer.reading import COLUMNS
from agent.sample import Instant

DELETES_MAX = 2000  # chunks a transaction may delete: a drained backlog goes in steps
VACUUM_PAGES = 64  # given back to the file system in one commit
FREE_SHARE = 10  # a tenth of the file may be free pages
LOOKED_BACK = 500  # chunks behind the newest that show how full a window was
SMALL = (
    "shape",
    "boot",
    "life",
    "destination",
    "rescue",
    "meta",
)  # looked at whole at each start: 1 ms

PUT = f"insert or replace into chunk ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
DELETE = (
    "delete from chunk where seq in"
    " (select seq from chunk where seq >= ? and last <= ? and seq <= ? order by seq limit ?)"
)
DROP = "delete from chunk where seq >= ? and seq <= ?"
NEWEST = "select last, total, boot, last_ms from chunk order by seq desc limit 1"
RECENT = "select boot, first_ms, readings from chunk order by seq desc limit ?"
URGENT = "select seq from chunk indexed by chunk_lane where lane > 0 and lane = 1 order by seq"
FIRST = (
    "select boot, first_ms from chunk where seq >="
    " coalesce((select max(seq) from chunk where seq <= ?1), ?1) and last >= ?1"
    " order by seq limit 1"
)

Ledger = dict[tuple[str, Loss], tuple[int, LossEntry]]  # the newest line of each, with its key


class Tables:
    """The tables of one open database, and what of them stays in memory."""

    def __init__(self, db: Database) -> None:
        self.shapes = Shapes()
        self.lives = Lives()
        self.eras = Eras()
        self.meta = rows.Meta()
        self.accepted = Count()
        self.newest = (0, 0, 0)  # number, era and boot clock (µs) of the last committed sample
        self.space = Space(0, 0)
        self._db = db
        self._next_loss = 1
        self._ledger: Ledger = {}

    def load(self) -> list[Cursor]:
        """Take up what is known; returns the cursors."""
        db = self._db
        for table in SMALL:
            db.check_table(table)
        self.shapes = Shapes(rows.shapes(db), rows.highest_shape(db))
        self.lives = Lives(rows.lives(db))
        if not rows.complete(db, "life", len(self.lives.known)):
            message = "the names of its samples are damaged"
            raise Unusable(message)
        self.meta = rows.meta(db)
        cursors = list(rows.cursors(db))
        last, total, era, last_ms = db.one(NEWEST) or (0, 0, 0, 0)
        settled = max((cursor.settled.last for cursor in cursors), default=0)
        highest = max(self.meta.floor - 1, last, settled)
        known = max((cursor.answered.readings for cursor in cursors), default=0)
        self.accepted = Count(highest, max(self.meta.readings, total, known))
        self.newest = (last, era, last_ms * 1000)
        self.eras = Eras(rows.eras(db), self.meta.running_ns, newest=(era, last_ms * 1_000_000))
        if not rows.complete(db, "boot", len(self.eras.by_id)):
            for key, first_ms, last_ms in rows.orphans(db):
                self.eras.restore(key, first_ms * 1_000_000, last_ms * 1_000_000)
        self._ledger = {
            (loss.destination, loss.reason): (key, loss) for key, loss in ledger.newest_losses(db)
        }
        self._next_loss = db.one("select coalesce(max(id), 0) + 1 from loss")[0]
        return (
            cursors if rows.complete(db, "destination", len(cursors)) else self._forgotten(cursors)
        )

    def _forgotten(self, cursors: list[Cursor]) -> list[Cursor]:
        """Nobody knows where some destinations were: all that is there is theirs, once more."""
        names = rows.named_cursors(self._db) - {cursor.name for cursor in cursors}
        since = self.accepted - rows.on_card(self._db)
        return cursors + [Cursor(name, Settled(), since) for name in sorted(names)]

    def opened(self, cursors: list[Cursor], news: list[str]) -> Opened:
        """What the event loop has to know."""
        return Opened(
            news=news,
            space=self.space,
            thinned=(self.meta.minutes, self.meta.quarters),
            lost=ledger.lost(self._db),
            cursors=cursors,
            lives=Lives(self.lives.known),
            eras=list(self.eras.by_id.values()),
            accepted=self.accepted,
            repeated=self.meta.repeated,
            starts=self.meta.starts,
            urgent=[row[0] for row in self._db.rows(URGENT)],
            oldest={cursor.name: self._oldest(cursor.settled) for cursor in cursors},
        )

    def fullest(self, window_ms: int) -> int:
        """Most readings that were accepted within one window, twice: it may have straddled."""
        return 2 * max(fullest(self._db, window_ms), self.meta.fullest)

    def put(self, chunk: Chunk) -> int:
        """Write one chunk; returns its bytes."""
        codec, body = encode(chunk.entries, self.shapes)
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
            codec + chunk.thinned,
        )
        self._db.execute(PUT, (*numbers, row_crc(numbers, body), body))
        return len(body)

    def put_all(self, order: Order) -> int:
        """Write the chunks of an order, new and salvaged ones; returns their bytes."""
        size = sum(self.put(chunk) for chunk in order.chunks)
        size += sum(self.put(rescued.chunk) for rescued in order.rescued)
        if order.progress is not None:
            rows.save_progress(self._db, order.progress)
        return size

    def settle(self, order: Order) -> int:
        """Write cursors, set-aside records and losses, then delete; returns how many chunks."""
        db = self._db
        self._rename(order)
        for cursor in order.cursors:
            rows.save_cursor(db, order.moved(cursor))
        for refused in order.rejected:
            rows.save_refused(db, refused)
        self._enter(order)
        for key, loss in order.ledger.items():
            ledger.save_loss(db, key, loss)
        self._make_room(order)
        left = DELETES_MAX
        for first, last in order.delete:
            if left > 0:
                left -= self.delete((first, last), left)
        return DELETES_MAX - left

    def _rename(self, order: Order) -> None:
        """Begin another life where a destination knows of numbers that were never given out."""
        if order.renames is None:
            return
        if not order.renamed:
            self.lives.begin(max(order.renames, self.lives.current.first), reason=SURPASSED)
            order.renamed = True
        self.save_lives()

    def _make_room(self, order: Order) -> None:
        for first, last in order.drop:
            self._db.execute(DROP, (first, last))
        for chunk in order.replace:
            self.put(chunk)
        if order.thinned is not None:
            self.meta.minutes, self.meta.quarters = order.thinned

    def delete(self, numbers: Range, limit: int) -> int:
        """Delete chunks that lie wholly in a range, oldest first; returns how many."""
        first, last = numbers
        return self._db.execute(DELETE, (first, last, last, limit)).rowcount

    def save_new(self) -> None:
        """Write shapes and eras that are not on the card yet."""
        for shape in self.shapes.new:
            rows.save_shape(self._db, shape)
        for era in self.eras.changed.values():
            rows.save_era(self._db, era)

    def committed(self, accepted: Count) -> None:
        """The transaction is durable."""
        self.shapes.new.clear()
        self.eras.changed.clear()
        self.accepted = accepted

    def save_lives(self) -> None:
        """Write all lives: there are few."""
        for life in self.lives.known:
            rows.save_life(self._db, life)

    def save_meta(self, now: Instant, accepted: Count) -> None:
        """Write down where we are."""
        self.meta.floor = accepted.samples + 1
        self.meta.readings = accepted.readings
        self.meta.running_ns = self.eras.running_ns(now)
        rows.save_meta(self._db, self.meta)

    def reserve(self, order: Order, wreckage: Wreckage, accepted: Count) -> Progress:
        """Set a block of numbers aside, settled for everybody, named as in the wreckage."""
        self._rename(order)
        if order.block is None:
            order.block = self._block(wreckage, accepted)
        self.save_lives()
        rows.save_progress(self._db, order.block)
        return order.block

    def forget(self, block: Progress) -> None:
        """Nobody knows whether it was reserved: its numbers go to others."""
        self.lives = Lives([life for life in self.lives.known if life.first < block.first])

    def _block(self, wreckage: Wreckage, accepted: Count) -> Progress:
        first, before = accepted.samples + 1, self.lives.current
        for life in wreckage.lives:
            seq = life.first - life.shift
            number = first - 1 + life.first
            self.lives.begin(number, epoch=life.epoch, seq=seq, reason="salvaged")
        end, seq = first + wreckage.last, first - before.shift
        self.lives.begin(end, epoch=before.epoch, seq=seq, reason="after salvage")
        eras = {era.id: self.eras.adopt(era, first, end) for era in wreckage.eras}
        return Progress(wreckage.place, first, wreckage.last, eras=eras)

    def vacuum(self) -> None:
        """Give some free pages back to the file system, where there are many."""
        space = self.space
        if space.free_bytes * FREE_SHARE > space.used_bytes + VACUUM_PAGES * PAGE_BYTES:
            for _ in range(
                VACUUM_PAGES
            ):  # sqlite3 steps once, which is one page, whatever is asked
                self._db.execute("pragma incremental_vacuum(1)")

    def measure(self) -> None:
        """Look how large the file is."""
        pages, free = self._db.pages()
        self.space = Space(pages * PAGE_BYTES, free * PAGE_BYTES)

    def _enter(self, order: Order) -> None:
        """Give every loss its row, once: a new one, or that of a loss it touches."""
        for loss in order.losses[order.entered :]:
            name = (loss.destination, loss.reason)
            key, known = self._ledger.get(name, (0, None))
            joined = known.joined(loss) if known is not None else None
            if joined is None:
                key, joined = max(self._next_loss, loss.above + 1), loss
                self._next_loss = key + 1
            self._ledger[name] = (key, joined)
            order.ledger[key] = joined
        order.entered = len(order.losses)

    def _oldest(self, settled: Settled) -> Oldest | None:
        number = settled.next_missing(1)
        row = self._db.one(FIRST, (number,))
        return Oldest(number, row[0], row[1] * 1000) if row else None


def fullest(db: Database, window_ms: int) -> int:
    """Most readings that were lately accepted within one window."""
    recent = db.rows(RECENT, (LOOKED_BACK,))
    windows = groupby(recent, key=lambda row: (row[0], row[1] // window_ms))
    return max((sum(row[2] for row in window) for _, window in windows), default=0)


def known_cursors(
    cursors: list[Cursor], destinations: Sequence[str], accepted: Count
) -> list[Cursor]:
    """The cursors the store knows, and one at the present end for every new destination."""
    known = {cursor.name: cursor for cursor in cursors}
    for cursor in cursors:
        cursor.configured = cursor.name in destinations
    for name in destinations:
        known.setdefault(name, Cursor(name, Settled(accepted.samples), accepted))
    return list(known.values())
