"""The one thread that owns the SQLite connection.

An executor would do, at twice the price of a hop: its futures have locks of their own, and are then
copied into those of the event loop.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Args = TypeVarTuple("Args")


class StoreThread:
    """Runs one thing after the other, beside the event loop.

    Attributes:
        keeps: the store. At its end Python destroys everything but what the frames of daemon
            threads hold: a store that nobody closed keeps its log, as if the power had gone.
    """

    def __init__(self) -> None:
        self.keeps: object = None
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: Thread | None = None

    def start(self, work: Callable[[*Args], T], *args: *Args) -> asyncio.Future[T]:
        """Have it run; the future is the event loop's."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._thread is None:
            # a daemon: a card that never answers must not keep the process from ending
            self._thread = Thread(target=self._work, name="store", daemon=True)
            self._thread.start()
        self._jobs.put(partial(_do, loop, future, work, *args))
        return future

    async def run(self, work: Callable[[*Args], T], *args: *Args) -> T:
        """Have it run, and wait for it; raises what it raises."""
        return await self.start(work, *args)

    def stop(self) -> None:
        """No more work; what is under way ends by itself."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # while it waits for the next, what this one held is free


def _do(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[T],
    work: Callable[[*Args], T],
    *args: *Args,
) -> None:
    if future.cancelled():
        return
    try:
        result = work(*args)
    except BaseException as error:  # noqa: BLE001 - whatever it is belongs to who waits for it
        _tell(loop, partial(_fail, future, error))
    else:
        _tell(loop, partial(_answer, future, result))


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop has ended, and with it whoever asked
        loop.call_soon_threadsafe(what)


def _answer(future: asyncio.Future[T], result: T) -> None:
    if not future.cancelled():
        future.set_result(result)


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.cancelled():
        future.set_exception(error)
