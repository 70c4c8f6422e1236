"""The daemon as a test build: it dies, hangs, raises or doubts at a named place.

    FIELDPOST_FAILPOINT=after-send:3 python -m tests.lab.failpoints run --config … --state …

kills it the third time it comes there, and says `reached after-send` on standard error before. What
is installed knows nothing of this: everything is wired from here, at seams that are there anyway.
Without the variable it does what the release build does, only in a hurry: what that looks at every
minute, it looks at every second.
"""

import asyncio
import ctypes
import functools
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import sqlite_utils

from agent import clock
from agent.cli.run import options
from agent.client.paths import socket_path
from agent.cloud.http.destination import HttpCloud
from agent.daemon import app, rounds, service
from agent.daemon.buffer import Outbox, desk, outbox, quarantine
from agent.daemon.buffer.database import Database, Frame
from agent.daemon.buffer.maker import make_store
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.orders import Done, Order
from agent.daemon.buffer.rescue import salvaged
from agent.daemon.buffer.store import Store
from agent.daemon.buffer.thread import StoreThread
from agent.daemon.buffer.witness import hardware_id, sync
from agent.daemon.health import machine
from agent.daemon.intake import Intake
from agent.plan import Json
from agent.prepare import store as tables
from tests.lab.broken import BROKEN

T = TypeVar("T")
Args = TypeVarTuple("Args")

VARIABLE = "FIELDPOST_FAILPOINT"
PROGRAM = (sys.executable, "-m", "tests.lab.failpoints")
PAGES = 4096
FEW_PAGES = 80  # a plan full of readings within seconds, so that they are thinned
DELETE_EVERY_S = 0.3
STUCK_S = 1.0
HANGS_S = 2.0
HANG_S = 3600.0
STORES = {"few-pages", "gathers", "other-board"}


class Point:
    """One named place.

    Args:
        wanted: `NAME` or `NAME:N`: act the N-th time.
    """

    def __init__(self, wanted: str) -> None:
        self.name, _, number = wanted.partition(":")
        self._arrivals = itertools.count(1)
        self._number = int(number or 1)

    def hit(self, name: str, act: Callable[[], object] | None = None) -> None:
        """Act if this is the place and the time."""
        if name == self.name and next(self._arrivals) == self._number:
            os.write(2, f"reached {name}\n".encode())
            (act or die)()


def die() -> None:
    """As kill -9 ends it."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_soon() -> None:
    """A moment after what comes now has begun."""
    victim = os.getpid()
    if os.fork() == 0:
        time.sleep(0.001)  # noqa: TID251 - a process of its own, without a loop
        os.kill(victim, signal.SIGKILL)
        os._exit(0)


def hang() -> None:
    """Holds whatever thread comes by."""
    time.sleep(HANG_S)  # noqa: TID251 - that is the fault


def hang_with_lock() -> None:
    """The same, and no other thread of Python runs either."""
    ctypes.PyDLL(None).sleep(int(HANG_S))


def fail() -> None:
    message = "a failpoint"
    raise RuntimeError(message)


def eat_memory() -> None:
    """Ask for memory until there is none."""
    eaten = []
    while True:
        eaten.append(bytearray(8 << 20))


ACTS: dict[str, Callable[[], object]] = {
    "loop-block": hang,
    "loop-block-locked": hang_with_lock,
    "driver-raise": fail,
    "driver-exit": sys.exit,
    "memory": eat_memory,
}


def after(owner: type, method: str, then: Callable[[], object]) -> None:
    """Have something done whenever a coroutine method has returned."""
    sound = getattr(owner, method)

    @functools.wraps(sound)
    async def wired(*arguments: Any, **more: Any) -> Any:
        result = await sound(*arguments, **more)
        then()
        return result

    setattr(owner, method, wired)


class Wired:
    """A build of the store, and every seam beside it, with one place wired."""

    def __init__(self, point: Point, words: Collection[str]) -> None:
        self._point = point
        self._words = words
        self._order: Order | None = None

    def wire(self) -> Build:
        hit = self._point.hit
        after(HttpCloud, "send", functools.partial(hit, "after-send"))
        after(Outbox, "settle", functools.partial(hit, "after-receipt"))
        for name, act in ACTS.items():
            after(Intake, "put", functools.partial(hit, name, act))
        self._wire_quarantine()
        self._wire_clock()
        return Build(
            make=self._make(),
            frame=self._frame(),
            store=self._store(),
            thread=self._thread(),
            salvage=self._salvaged,
        )

    def _frame(self) -> Frame:
        pages = FEW_PAGES if "few-pages" in self._words else PAGES
        board = os.urandom(8) if "other-board" in self._words else hardware_id()
        return Frame(pages, 1000, 1 << 16, board, checkpoint_commits=4)

    def _wire_quarantine(self) -> None:
        def synced(folder: Path) -> None:
            sync(folder)
            self._point.hit("mid-quarantine")

        vars(quarantine)["sync"] = synced

    def _wire_clock(self) -> None:
        if self._point.name == "clock-untrusted":

            def vouched() -> bool:
                self._point.hit("clock-untrusted", lambda: None)
                return False

            clock.vouched = vouched

    def _make(self) -> Callable[[Path], Any]:
        async def make(folder: Path) -> None:
            if self._point.name == "mid-migration":
                migrate(folder, self._point)
            else:
                await make_store(folder)

        return make

    async def _salvaged(self, place: Path, number: int) -> AsyncIterator[Json]:
        async for line in salvaged(place, number):
            yield line
            self._point.hit("mid-salvage")

    def _thread(self) -> Callable[[], StoreThread]:
        point = self._point

        class Thread(StoreThread):
            def start(self, work: Callable[[*Args], T], *args: *Args) -> asyncio.Future[T]:
                def watched(*given: *Args) -> T:
                    point.hit("thread-die", threading.Event().wait)
                    point.hit("thread-raise", fail)
                    return work(*given)

                return super().start(watched, *args)

        return Thread

    def _store(self) -> Callable[[Path, Frame], Store]:
        wired = self

        class Pointed(Store):
            def commit(self, order: Order) -> Done:
                wired._order = order
                if order.delete:
                    wired._point.hit("before-delete")
                done = super().commit(order)
                if order.chunks:
                    wired._point.hit("after-commit")
                return done

        connect = self._gathering() if "gathers" in self._words else self._database()
        return functools.partial(Pointed, connect=connect)

    def _database(self) -> type[Database]:
        wired = self

        class Watched(Database):
            @contextmanager
            def transaction(self) -> Iterator[None]:
                with super().transaction():
                    yield
                    wired._in_transaction()

            def checkpoint(self) -> None:
                wired._point.hit("mid-checkpoint", die_soon)
                super().checkpoint()

        return Watched

    def _in_transaction(self) -> None:
        if self._order and self._order.chunks:
            self._point.hit("before-commit")
        if self._order and self._order.thinned:
            self._point.hit("mid-thinning")

    def _gathering(self) -> type[Database]:
        class Gathering(Database):
            """Says that it has committed, and does so at its end."""

            @contextmanager
            def transaction(self) -> Iterator[None]:
                if self._connection is not None and not self._connection.in_transaction:
                    self.execute("begin immediate")
                yield

            def checkpoint(self) -> None:
                pass

        return Gathering


def migrate(folder: Path, point: Point) -> None:
    """Make or migrate a store, as `agent.prepare.store` does, and die in between."""

    class Watched(sqlite_utils.Database):
        def execute(self, *arguments: Any, **more: Any) -> Any:
            point.hit("mid-migration")
            return super().execute(*arguments, **more)

    vars(tables)["Database"] = Watched
    tables.migrate(folder)


def main(arguments: list[str]) -> int:
    """`[few-pages] [gathers] [other-board] [what is broken …] run …`; see above."""
    point = Point(os.environ.pop(VARIABLE, ""))
    words = set(itertools.takewhile(lambda word: word != "run", arguments))
    given = options(arguments[len(words) + 1 :])
    assert given is not None
    assert words <= BROKEN.keys() | STORES, words
    desk.DELETE_EVERY_S = outbox.RECEIPTS_S = DELETE_EVERY_S
    rounds.EVERY_S = rounds.UNCOMMITTED_MAX_S = machine.UNCOMMITTED_S = STUCK_S
    service.HANGS_S = service.STOPPING_S = HANGS_S
    for word in words & BROKEN.keys():
        BROKEN[word]()
    build = Wired(point, words).wire()
    return app.main(given["--config"], given["--state"], socket_path(None, given["--state"]), build)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
