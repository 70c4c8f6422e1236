"""A driver under the daemon's own supervisor, for faults that it has to come back from."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Self

from agent.clock import SystemClock
from agent.daemon.supervisor import Supervisor
from agent.driver import ConnectionState, Driver
from tests.lab.sink import KeepingSink

WAITS_S = 20.0  # the supervisor looks again within five seconds, on a machine with time


class Told:
    """What the supervisor says of a connection, in order."""

    def __init__(self) -> None:
        self.states: list[tuple[ConnectionState, str | None]] = []

    def connection_changed(
        self, name: str, state: ConnectionState, message: str | None, action: str | None
    ) -> None:
        del name, action
        self.states.append((state, message))

    def said(self, state: ConnectionState) -> list[str]:
        """The sentences of one state."""
        return [message or "" for one, message in self.states if one is state]


@contextlib.asynccontextmanager
async def supervised(open_driver: Callable[[], Driver]) -> AsyncIterator[tuple[KeepingSink, Told]]:
    """Run a driver as the daemon does."""
    sink, told = KeepingSink(), Told()
    supervisor = Supervisor("line", open_driver, sink, told, SystemClock())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(supervisor.run(), name="supervisor")
        yield sink, told
        running.cancel()


async def until(holds: Callable[[], bool], timeout_s: float = WAITS_S) -> None:
    """Look every few milliseconds until a condition holds."""
    async with asyncio.timeout(timeout_s):
        while not holds():
            await asyncio.sleep(0.01)


class Busy:
    """Share of one processor that this process used inside the block, 0 to 1."""

    share = 0.0

    def __enter__(self) -> Self:
        self._began = time.process_time(), time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        used_s = time.process_time() - self._began[0]
        self.share = used_s / (time.monotonic() - self._began[1])
