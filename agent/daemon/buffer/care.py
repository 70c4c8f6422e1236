"""What lies beside the tables and is looked after with them: witness, ballast, checkpoints."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from agent.daemon.buffer import rows
from agent.daemon.buffer.ballast import Ballast
from agent.daemon.buffer.database import PAGE_BYTES, Database, Frame
from agent.daemon.buffer.noting import RamNote
from agent.daemon.buffer.orders import Order
from agent.daemon.buffer.quarantine import Quarantine
from agent.daemon.buffer.ram import Refuge
from agent.daemon.buffer.tables import Tables
from agent.daemon.buffer.trouble import BrokenError, FullError, Trouble, kind_of, said
from agent.daemon.buffer.witness import Witness, WitnessFile
from agent.sample import Instant

WITNESS_NS = 60_000_000_000
NEARLY = 0.9  # of the pages in use: then it is the quota that is full, not the file system


class Care:
    """Witness, note and ballast of one store."""

    def __init__(self, home: Path, frame: Frame, db: Database, tables: Tables) -> None:
        self.ballast = Ballast(home / "ballast", frame.ballast_bytes)
        self.note = RamNote(home)
        self._witness = WitnessFile(home / "witness")
        self._log = home / "buffer" / "buffer.db-wal"
        self._had_log: bool | None = None
        self._witness_at_ns = 0
        self._vouched_fullest = 0
        self._quarantine = Quarantine(home)
        self._frame = frame
        self._db = db
        self._tables = tables

    def witness(self) -> Witness | None:
        """What was known of the store before this start."""
        return self._witness.read()

    def had_log(self) -> bool:
        """Whether the last run left a write-ahead log.

        An attempt to open the store takes it away when it fails, as every close does: the first
        look stands.
        """
        if self._had_log is None:
            self._had_log = False
            with suppress(OSError):
                self._had_log = self._log.stat().st_size > 0
        return self._had_log

    def concerned(self, witness: Witness | None) -> Witness | None:
        """The witness, unless its store lies in quarantine: what that lost, salvage counts."""
        return None if witness and self._quarantine.holds(witness) else witness

    def vouch(self, now: Instant, *, clean: bool, more: bool = True) -> None:
        """Write down what the store contains at least.

        Args:
            now: this moment.
            clean: everything that was accepted is on the card.
            more: readings are committed from here on, until it is written again.

        Raises:
            OSError: the disk does not take it.
        """
        tables = self._tables
        windows = WITNESS_NS // 1_000_000 // self._frame.window_ms + 1
        self._witness_at_ns = now.mono_ns + WITNESS_NS
        self._vouched_fullest = tables.meta.fullest
        self._witness.write(
            Witness(
                epoch=tables.lives.current.epoch,
                next=tables.accepted.samples + 1,
                readings=tables.accepted.readings,
                starts=tables.meta.starts,
                clean=clean,
                held=self._held(),
                soon=windows * tables.meta.fullest if more else 0,
                hardware=self._frame.hardware,
            )
        )

    def refuge(self, order: Order, error: BrokenError) -> Refuge:
        """Go on in RAM, and write down what the card has: no more comes to it for now."""
        with suppress(OSError):
            self.vouch(order.now, clean=False, more=False)
        self._witness_at_ns = 0
        refuge = Refuge(self._db, self._tables, order, error)
        self.note.write(refuge.held)
        return refuge

    def after_commit(self, now: Instant) -> None:
        """Checkpoint, witness, ballast: what fails here does not undo the commit.

        Raises:
            sqlite3.Error, OSError: the disk answered with an error.
        """
        self._db.checkpoint_when_due()
        busier = self._tables.meta.fullest > 2 * self._vouched_fullest
        if now.mono_ns >= self._witness_at_ns or busier:
            self.vouch(now, clean=False)
            self.ballast.restore()

    def make_way(self, order: Order, error: sqlite3.Error) -> None:
        """Let the ballast go where something can be deleted: new samples would only eat it up.

        Raises:
            FullError: the quota is reached.
            BrokenError: others have filled the file system, and nothing of ours can go.
        """
        if (order.delete or order.drop) and self.ballast.drop():
            with suppress(sqlite3.Error), self._db.transaction():
                self._tables.settle(order)
            return
        with suppress(sqlite3.Error):
            self._tables.measure()
        if self._tables.space.used_bytes > self._frame.pages * PAGE_BYTES * NEARLY:
            raise FullError from error
        raise BrokenError(said(error), Trouble.FULL) from error

    def bring_home(self, refuge: Refuge, now: Instant) -> None:
        """Write what RAM held; only a full disk is cleared first.

        Clearing writes cursors that know of samples in RAM, which a stop before the rest is written
        would leave behind without them.

        Raises:
            sqlite3.Error: it still refuses.
        """
        try:
            refuge.give_back(now)
        except sqlite3.Error as error:
            if kind_of(error) is not Trouble.FULL:
                raise
            self._clear(refuge, now)
            refuge.give_back(now)

    def _clear(self, refuge: Refuge, now: Instant) -> None:
        """Delete what everybody has, with the room the ballast gives if need be.

        Raises:
            sqlite3.Error: not even that.
        """
        try:
            refuge.make_room(now)
        except sqlite3.Error as error:
            if kind_of(error) is not Trouble.FULL or not self.ballast.drop():
                raise
            refuge.make_room(now)

    def _held(self) -> int | None:
        """What the slowest destination waits for, at most; None where that cannot be read."""
        with suppress(sqlite3.Error):
            answered = [c.answered.readings for c in rows.cursors(self._db) if c.configured]
            return self._tables.accepted.readings - min(answered, default=0)
        return None
