"""Real sockets on hurried time: while nothing is on its way between them, time jumps.

For a test whose clients and servers live in one event loop: a pause of five minutes, a deadline of
a minute or a week of refusals take no time, and come in the same order as they would. Nothing in
such a test may wait for another thread or process: time would not wait for that.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

TURN_S = 1e-6  # what a turn of the loop takes: without it, whoever polls would stop time
GRACE_S = 0.001  # before a long jump, for what the kernel still carries on a busy machine
LONG_S = 10.0


class _Hurry(selectors.DefaultSelector):
    """Looks whether anything has come; where a real loop would sleep, time jumps instead."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += TURN_S
        if found := super().select(0):
            return found
        if timeout is None:
            return super().select(None)
        if timeout >= LONG_S and (found := super().select(GRACE_S)):
            return found
        self.now_s += max(0.0, timeout)
        return []


class HurriedLoop(asyncio.SelectorEventLoop):
    """`time()` is seconds since the loop was made, none of which anybody waited for."""

    def __init__(self) -> None:
        self._hurry = _Hurry()
        super().__init__(self._hurry)

    def time(self) -> float:
        return self._hurry.now_s


def hurried(work: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine on hurried time."""
    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        return runner.run(work)
