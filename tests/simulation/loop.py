"""An event loop on virtual time: waiting costs nothing, and the same seed runs the same way."""

import asyncio
import selectors
from collections.abc import Callable

TURN_S = 1e-6  # what a turn of the loop takes: without it, whoever polls would stop time


TURNS_MAX = 20_000  # within a second: nothing of ours has that much to do


class NothingToCome(Exception):
    """Every task waits for another one, and no timer runs: a real daemon would hang for ever."""


class _Jump(selectors.SelectSelector):
    """Where a real loop sleeps until its next timer, time jumps there."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.in_circles: Callable[[], None] = _nobody
        self._turns, self._until_s = 0, 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingToCome
        self.now_s += max(TURN_S, timeout)
        self._turns += 1
        if self.now_s >= self._until_s:
            self._turns, self._until_s = 0, self.now_s + 1.0
        elif self._turns > TURNS_MAX:
            self._turns = 0
            self.in_circles()
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """One thread, no descriptors, no sleeping; `time()` is seconds since the loop was made."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def tell(self, in_circles: Callable[[], None]) -> None:
        """Who hears of it when tasks wake each other without end, so that no time passes."""
        self._jump.in_circles = in_circles

    def time(self) -> float:
        return self._jump.now_s


def _nobody() -> None:
    """Nobody hears of it."""
