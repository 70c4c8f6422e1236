"""An event loop on virtual time: waiting costs nothing, and the same seed runs the same way."""

import asyncio
import selectors

TURN_S = 1e-6  # what a turn of the loop takes: without it, whoever polls would stop time


class NothingToCome(Exception):
    """Every task waits for another one, and no timer runs: a real daemon would hang for ever."""


class _Jump(selectors.SelectSelector):
    """Where a real loop sleeps until its next timer, time jumps there."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingToCome
        self.now_s += max(TURN_S, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """One thread, no descriptors, no sleeping; `time()` is seconds since the loop was made."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now_s
