"""The gateway's card: the real store on a real file, on virtual time, with a disk that may err."""

import asyncio
import random
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from agent.daemon.buffer.database import Database, Frame
from agent.daemon.buffer.store import Store
from agent.daemon.buffer.thread import StoreThread

T = TypeVar("T")
Args = TypeVarTuple("Args")

STALLS = 0.15
COMMIT_S = 0.02  # an fsync of a card on a good day


@dataclass(slots=True)
class Card:
    """What the disk does to whoever writes on it.

    Attributes:
        stall_s: how long one piece of work in `STALLS` takes on top of `COMMIT_S`.
        errs: chance that a commit answers with an I/O error, its outcome unknown.
        broken: nothing at all is written.
    """

    dice: random.Random
    stall_s: float = 0.0
    errs: float = 0.0
    broken: bool = False
    errors: int = 0

    def takes_s(self) -> float:
        """How long the next piece of work takes."""
        stalls = self.stall_s and self.dice.random() < STALLS
        return COMMIT_S + (self.stall_s if stalls else 0.0)

    @property
    def state(self) -> str:
        """For people."""
        if self.broken:
            return "card: broken"
        return (
            f"card: stalls {self.stall_s:.1f} s" if self.stall_s else f"card: errs {self.errs:.2f}"
        )

    def heal(self) -> None:
        self.stall_s, self.errs, self.broken = 0.0, 0.0, False


class SimDatabase(Database):
    """The real connection, which now and then hears what a dying card says."""

    def __init__(self, file: Path, frame: Frame, card: Card) -> None:
        super().__init__(file, frame)
        self._card = card

    def execute(self, sql: str, values: Iterable[object] = ()) -> sqlite3.Cursor:
        card = self._card
        if card.broken and sql.startswith("begin"):
            raise self._error()
        if sql == "commit" and card.dice.random() < card.errs:
            if card.dice.random() < 0.5:  # it did arrive, and nobody is told
                super().execute(sql, values)
            raise self._error()
        return super().execute(sql, values)

    def open(self, *, again: bool = False) -> None:
        if self._card.broken:
            raise self._error()
        super().open(again=again)

    def _error(self) -> sqlite3.OperationalError:
        self._card.errors += 1
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        return error


class SimStore(Store):
    """The real store on that connection."""

    def __init__(self, home: Path, frame: Frame, card: Card) -> None:
        self.folder = home / "buffer"
        self.database = SimDatabase(self.folder / "buffer.db", frame, card)
        super().__init__(home, frame, lambda _file, _frame: self.database)


class SimThread(StoreThread):
    """Does the store's work in its turn, a moment later, on the one thread there is.

    Args:
        card: says how long it takes.
        done: told every result with what it was made of, at the instant it is true, whether or not
            anybody lives to hear.
    """

    def __init__(self, card: Card, done: Callable[[tuple[object, ...], object], None]) -> None:
        super().__init__()
        self._card = card
        self._done = done
        self._free_at_s = 0.0
        self._begun: list[float] = []
        self._next: Callable[[], None] | None = None
        self.dead = False

    @property
    def busy_since_s(self) -> float | None:
        """Since when the oldest piece of work has been waiting."""
        return self._begun[0] if self._begun else None

    def start(self, work: Callable[[*Args], T], *args: *Args) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self.dead:
            return future  # nobody will ever answer
        now_s = loop.time()
        self._free_at_s = max(now_s, self._free_at_s) + self._card.takes_s()
        self._begun.append(now_s)

        def do() -> None:
            if not self.dead:
                self._begun.pop(0)
                self._do(future, work, *args)

        self._next = do
        loop.call_at(self._free_at_s, do)
        return future

    def die(self, *, finish: bool) -> None:
        """The process is gone; what was under way is done all the same, or is not."""
        if finish and len(self._begun) == 1 and self._next is not None:
            self._next()
        self.dead = True

    def _do(self, future: asyncio.Future[T], work: Callable[[*Args], T], *args: *Args) -> None:
        try:
            result = work(*args)
        except Exception as error:  # noqa: BLE001 - hands over whatever an executor would
            if not future.cancelled():
                future.set_exception(error)
            return
        self._done(args, result)
        if not future.cancelled():
            future.set_result(result)


def left_behind(store: SimStore, *, synced_only: bool) -> None:
    """End the connection as kill -9 does: its files stay as they are at this instant."""
    files = {}
    if store.folder.exists():
        files = {file: file.read_bytes() for file in store.folder.iterdir()}
    store.database.close()
    for file in list(store.folder.iterdir()) if files else ():
        file.unlink()
    for file, content in files.items():
        if not (synced_only and file.name.endswith("-wal")):
            file.write_bytes(content)
