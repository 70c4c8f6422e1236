"""The one retry policy: full jitter, a ceiling, and what the destination asked for.

Full jitter spreads a fleet that comes back after a regional outage evenly over the back-off; a
refused credential is asked about every few minutes only, because a person has to act. A pause that
nobody asked for ends early when the network is seen to be back.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from agent.cloud import BatchRefused, Misconfigured, Unauthorized, Unreachable
from agent.daemon.uplink.comeback import JITTER_S, Comeback, after_outage_s, spread
from agent.errors import FieldpostError

FIRST_S = 1.0  # ceiling of the first pause; doubles with each failure
CEILING_S = 300.0  # of a pause without Retry-After
DOUBLINGS = 9  # from the first ceiling to the last
PERSON_S = (120.0, 300.0)  # between tries while a person has to act
RETRY_AFTER_MAX_S = 3600.0  # longer wishes are capped: a server's mistake must not cost a day
DEAF_S = 15.0  # after a pause was cut short in vain, evidence counts again; doubles each time
DEAF_MAX_S = 300.0

Waiting = Callable[[FieldpostError, float], None]
T = TypeVar("T")


class Retry:
    """The patience of one lane, from one batch to the next.

    Args:
        on_wait: told the failure and the pause before the next try, seconds.
        comeback: ends pauses early.
        pressing: whether something urgent waits, which takes no part in spreading a fleet.
    """

    def __init__(
        self,
        on_wait: Waiting,
        comeback: Comeback | None = None,
        pressing: Callable[[], bool] = lambda: False,
    ) -> None:
        self._on_wait = on_wait
        self._pressing = pressing
        self._comeback = comeback or Comeback()
        self._failures = 0
        self._in_vain = 0
        self._deaf_until_s = self._failing_since_s = 0.0
        self._error: BaseException | None = None

    async def until_answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Try until it works; only an answer or a judgement ends it."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((Unreachable, Unauthorized, Misconfigured)),
            wait=self._wait,
            before_sleep=self._before_sleep,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            answer: T = await retrying(ask)
        except BatchRefused:  # that is an answer as well
            self._answered()
            raise
        self._answered()
        return answer

    def _answered(self) -> None:
        if self._failures:
            self._failures = self._in_vain = 0
            self._failing_since_s = 0.0
            self._comeback.heard()

    def _wait(self, state: RetryCallState) -> float:
        self._error = state.outcome.exception() if state.outcome else None
        self._failures += 1
        self._failing_since_s = self._failing_since_s or asyncio.get_running_loop().time()
        if isinstance(self._error, Unauthorized | Misconfigured):
            return person_s()
        ceiling_s = min(CEILING_S, FIRST_S * 2 ** min(self._failures - 1, DOUBLINGS))
        pause_s = spread(ceiling_s)
        if not (asked_s := self._asked_s()):
            return pause_s
        # what was asked for, and jitter on top, so that a fleet does not return in the same second
        return min(asked_s, RETRY_AFTER_MAX_S) + min(pause_s, asked_s)

    def _before_sleep(self, state: RetryCallState) -> None:
        if isinstance(self._error, FieldpostError):
            self._on_wait(self._error, state.upcoming_sleep)

    async def _sleep(self, seconds: float) -> None:
        if self._asked_s():
            await asyncio.sleep(seconds)  # whoever asks for peace has it
            return
        silent = isinstance(self._error, Unreachable)
        deaf_until_s = self._deaf_until_s if silent else float("inf")
        if await self._comeback.pause(seconds, deaf_until_s, self._spread_s()):
            self._failures = 1  # the way may need some seconds more: small steps again
            deaf_s = min(DEAF_MAX_S, DEAF_S * 2**self._in_vain)
            self._deaf_until_s = asyncio.get_running_loop().time() + deaf_s
            self._in_vain = min(self._in_vain + 1, DOUBLINGS)

    def _spread_s(self) -> float:
        """Over how long this gateway's fleet returns, should the way be back."""
        if self._pressing():
            return JITTER_S
        return after_outage_s(asyncio.get_running_loop().time() - self._failing_since_s)

    def _asked_s(self) -> float:
        return max(0.0, getattr(self._error, "retry_after_s", None) or 0.0)


def person_s() -> float:
    """How long to wait for somebody to mend a credential or an address."""
    return random.uniform(*PERSON_S)  # noqa: S311 -- spreads requests, guards nothing
