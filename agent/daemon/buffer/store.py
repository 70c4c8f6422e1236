"""What happens on the store's own thread: one transaction per order, and reads between them.

Invariants: numbers are given out in order and only here; a number is visible outside only after the
commit that holds it; writing an order again writes the same rows under the same numbers.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from agent.daemon.buffer.care import Care
from agent.daemon.buffer.cutting import after, cut
from agent.daemon.buffer.database import Database, Frame, Newer, Outdated, Unusable
from agent.daemon.buffer.judging import Judgement, check, judged
from agent.daemon.buffer.lives import Lives
from agent.daemon.buffer.model import Count, Cursor, Opened
from agent.daemon.buffer.orders import Done, Order
from agent.daemon.buffer.ram import Refuge
from agent.daemon.buffer.reading import Ask, Found, oldest, read
from agent.daemon.buffer.tables import DELETES_MAX, Tables, known_cursors
from agent.daemon.buffer.trouble import BrokenError, Trouble, kind_of, said
from agent.daemon.buffer.witness import sync
from agent.errors import UnavailableError
from agent.sample import Instant

ATTEMPTS = 3  # an I/O error means "outcome unknown": reopen, look, write the same again
UNREAD_MAX = 10  # a page that so many attempts could not read would hold up its lane for ever
MEASURE_COMMITS = 16  # between looks how large the file is, which cost a little each
SILENT = "The disk does not answer, so what it holds cannot be read now."
NOTHING = Count()

T = TypeVar("T")


class Store:
    """The tables. Every method runs on the one thread that owns the connection.

    Args:
        home: where the files are.
        connect: makes the connection; simulations have one whose disk errs.
    """

    def __init__(
        self, home: Path, frame: Frame, connect: Callable[[Path, Frame], Database] = Database
    ) -> None:
        self._frame = frame
        self._file = home / "buffer" / "buffer.db"
        self._db = connect(self._file, frame)
        self._tables = Tables(self._db)
        self._care = Care(home, frame, self._db, self._tables)
        self._refuge: Refuge | None = None
        self._trouble: str | None = None
        self._left: Refuge | None = None  # the disk has just taken what it held
        self._damaged = False
        self._unread_times = 0

    def open(self, now: Instant, destinations: Sequence[str]) -> Opened:
        """Open, judge against the witness, and commit that this start took place.

        A destination that was not there before starts at the present end.

        Raises:
            Outdated, Newer, Unusable, sqlite3.Error
        """
        tables, witness, had_wal = self._tables, self._care.witness(), self._care.had_log()
        self._db.open()
        try:
            cursors = known_cursors(tables.load(), destinations, tables.accepted)
            judgement = judged(self._care.concerned(witness), tables, self._frame, had_wal=had_wal)
            judgement.gone_with_ram(self._care.note, tables, self._frame)
            if judgement.suspicious:
                check(self._db, tables)
            tables.meta.starts = max(tables.meta.starts, witness.starts if witness else 0) + 1
            self._begin(judgement, cursors, now)
            self._care.ballast.restore()
            tables.measure()
            return tables.opened(cursors, judgement.news)
        except (TypeError, ValueError) as error:  # of columns that no CRC vouches for
            self._db.close()
            message = f"its rows make no sense: {error}"
            raise Unusable(message) from error
        except BaseException:
            self._db.close()
            raise

    def commit(self, order: Order) -> Done:
        """Make an order durable, or keep it in RAM while the disk refuses.

        Raises:
            FullError: the quota is reached; the same order may be given again.
        """
        if (refuge := self._refuge) is not None:
            if not self._leave(refuge, order.now):
                return refuge.keep(order)
            order.rescued[:0] = refuge.rescued  # nobody was told of it, so no cursor is moved yet
        if not order.numbered:
            order.number(cut(order.samples, self._tables.accepted, self._tables.eras, order.handed))
            self._tables.eras.of(order.now, order.handed)
        try:
            return self._durable(order)
        except BrokenError as error:
            self._refuge = self._care.refuge(order, error)
            return self._refuge.begin()

    def read(self, ask: Ask) -> Found:
        """Read unsettled samples, oldest first; a damaged row is left out and named."""
        refuge = self._refuge
        if refuge is None:
            return self._read(ask)
        found = self._read(replace(ask, end=min(ask.end, refuge.disk_end)))
        return found if found.chunks or found.damaged else refuge.read(ask)

    def oldest(self, number: int, limit: int, ordinary: bool) -> Found:  # noqa: FBT001 - a thread's arguments have no names
        """So many chunks from a number on, whoever has settled them; without alarms if asked."""
        try:
            return oldest(self._db, self._tables.shapes.by_id, (number, limit), ordinary=ordinary)
        except sqlite3.Error as error:
            return self._unread(error)

    def consult(self, question: Callable[[Database], T]) -> T:
        """Put a question to the tables.

        Raises:
            UnavailableError: the disk does not answer.
        """
        if self._refuge is not None:
            raise UnavailableError(SILENT, action="fieldpost doctor")
        try:
            return question(self._db)
        except sqlite3.Error as error:
            self._unread(error)
            raise UnavailableError(SILENT, action="fieldpost doctor") from error

    def close(self, now: Instant, left: Count = NOTHING) -> Count:
        """Write down where we are, empty the WAL, let go; returns what is not on the card.

        Args:
            now: this moment.
            left: what was accepted and no order could bring there; the next start counts it.
        """
        refuge = self._refuge
        if refuge is not None and not self._leave(refuge, now, last=True):
            left += refuge.held
            self._care.note.write(left, exact=True)
        elif not self._sealed(now, left):
            # an error that passes: a log that goes without a word of it would look lost
            with suppress(BrokenError):
                self._reopen()
                self._sealed(now, left)
        self._db.close()
        return left

    def _sealed(self, now: Instant, left: Count) -> bool:
        """Whether the last word of this run is on the disk."""
        told = left == NOTHING or self._care.note.write(left, exact=True)
        try:
            with self._db.transaction():
                self._tables.save_meta(now, self._tables.accepted)
            self._care.vouch(now, clean=told and not self._damaged)
            self._db.checkpoint()
        except (sqlite3.Error, OSError):
            return False
        return True

    def _begin(self, judgement: Judgement, cursors: list[Cursor], now: Instant) -> None:
        """The first commit of a run: it makes the WAL, so that its absence means something."""
        tables = self._tables
        losses = judgement.losses(cursors, tables, now)
        with self._db.transaction():
            if judgement.new_life:
                tables.lives.begin(tables.accepted.samples + 1, reason=judgement.new_life)
                tables.save_lives()
            tables.eras.of(now, tables.accepted.samples)
            tables.save_new()
            tables.save_meta(now, tables.accepted)
            tables.settle(Order([], now, cursors=cursors, losses=losses))
        tables.committed(tables.accepted)
        sync(self._file.parent)
        self._care.vouch(now, clean=False)
        self._care.note.erase()

    def _durable(self, order: Order) -> Done:
        left = ATTEMPTS
        while True:
            try:
                done = self._write(order)
            except sqlite3.Error as error:
                left -= 1
                self._answer(order, error, left)
            else:
                self._look_after(order.now)
                done.trouble, self._trouble = self._trouble, None
                if self._left is not None:
                    done.lives = Lives(self._tables.lives.known)
                    done.urgent, self._left = self._left.held_back, None
                return done

    def _answer(self, order: Order, error: sqlite3.Error, left: int) -> None:
        """Do what gives the next attempt a chance, or say that there is none.

        Raises:
            BrokenError, FullError
        """
        kind = kind_of(error)
        if kind is Trouble.FULL:
            self._care.make_way(order, error)
        elif left <= 0 or kind is Trouble.DAMAGED:
            raise BrokenError(said(error), kind) from error
        else:
            self._reopen()

    def _look_after(self, now: Instant) -> None:
        try:
            self._care.after_commit(now)
        except sqlite3.Error as error:
            self._trouble = said(error)
            with suppress(BrokenError):
                self._reopen()
        except OSError as error:
            self._trouble = str(error)

    def _write(self, order: Order) -> Done:
        tables = self._tables
        accepted, reserved = after(order.chunks, tables.accepted), None
        readings = (accepted - tables.accepted).readings
        with self._db.transaction():
            if order.wreckage is not None:
                reserved = tables.reserve(order, order.wreckage, accepted)
                accepted = Count(reserved.last, accepted.readings)
            deleted = tables.settle(order)  # first, so that it makes room
            size = tables.put_all(order)
            tables.save_new()
            if deleted or order.drop or reserved:
                tables.save_meta(order.now, accepted)
            tables.vacuum()
            if deleted or order.drop or self._db.commits % MEASURE_COMMITS == 0:
                tables.measure()  # in here, where the tables are open already
        eras = list(tables.eras.changed.values())
        tables.committed(accepted)
        tables.meta.fullest = max(tables.meta.fullest, readings)
        self._db.wrote(size)
        return Done(
            chunks=order.chunks,
            eras=eras,
            accepted=accepted,
            bytes=size,
            space=tables.space,
            written_bytes=self._db.written_bytes,
            more_to_delete=deleted >= DELETES_MAX,
            lives=Lives(tables.lives.known) if reserved or order.renames else None,
            rescued=order.rescued,
            reserved=reserved,
        )

    def _leave(self, refuge: Refuge, now: Instant, *, last: bool = False) -> bool:
        """Whether the disk took everything that RAM held; tried once a minute, and at the end."""
        if not last and not refuge.due(now):
            return False
        try:
            self._reopen()
            self._care.bring_home(refuge, now)
        except BrokenError as error:
            refuge.refused_again(now, str(error))
        except sqlite3.Error as error:
            refuge.refused_again(now, said(error))
        else:
            self._care.note.erase()
            self._refuge, self._left = None, refuge
            return True
        self._care.note.write(refuge.held)
        return False

    def _read(self, ask: Ask) -> Found:
        try:
            found = read(self._db, self._tables.shapes.by_id, ask)
        except sqlite3.Error as error:
            return self._unread(error)
        self._unread_times = 0
        return found

    def _unread(self, error: sqlite3.Error) -> Found:
        self._trouble = said(error)
        self._unread_times += 1
        kind = kind_of(error)
        stays = kind is Trouble.UNREADABLE and self._unread_times >= UNREAD_MAX
        self._damaged = self._damaged or stays or kind is Trouble.DAMAGED
        return Found(incomplete=True, hopeless=self._damaged)

    def _reopen(self) -> None:
        self._db.close()
        try:
            self._db.open(again=True)
        except sqlite3.Error as error:
            raise BrokenError(said(error), kind_of(error)) from error
        except (Outdated, Newer, Unusable) as error:
            message = f"the store is gone: {error}"
            raise BrokenError(message, Trouble.DAMAGED) from error
