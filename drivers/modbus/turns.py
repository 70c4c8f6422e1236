"""Whose turn it is on a line: people before the schedule, but never twice in a row before it."""

import asyncio
from collections import deque
from types import TracebackType


class Turns:
    """Hands the line to one exchange at a time."""

    def __init__(self) -> None:
        self._taken = False
        self._favoured = False  # the last turn went to somebody who came first
        self._first: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    def turn(self, *, first: bool) -> "Turn":
        """A turn, as `async with`; `first` goes before the schedule."""
        return Turn(self, first=first)

    async def take(self, *, first: bool) -> None:
        """Wait for the line."""
        if not self._taken:
            self._taken = True
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._first if first else self._others).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.give()  # it was handed over while we left
            raise

    def give(self) -> None:
        """Hand the line on."""
        while queue := self._next():
            waiting = queue.popleft()
            if not waiting.done():
                self._favoured = queue is self._first
                waiting.set_result(None)
                return
        self._taken = self._favoured = False

    def _next(self) -> deque[asyncio.Future[None]] | None:
        order = [self._first, self._others]
        if self._favoured:
            order.reverse()
        return next((queue for queue in order if queue), None)


class Turn:
    """One turn on the line."""

    __slots__ = ("_first", "_turns")

    def __init__(self, turns: Turns, *, first: bool) -> None:
        self._turns, self._first = turns, first

    async def __aenter__(self) -> None:
        await self._turns.take(first=self._first)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._turns.give()
