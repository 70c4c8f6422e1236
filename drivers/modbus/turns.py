"""Whose turn it is on a line: people before the schedule, but never twice in a row before it."""

import asyncio
from collections import deque


class Turns:
    """Hands the line to one exchange at a time."""

    def __init__(self) -> None:
        self._taken = False
        self._favoured = False  # the last turn went to somebody who came first
        self._first: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    def take_at_once(self) -> bool:
        """Take the line if nobody has it."""
        if self._taken:
            return False
        self._taken = True
        return True

    async def take(self, *, first: bool) -> None:
        """Wait for the line; `first` goes before the schedule."""
        if self.take_at_once():
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
