"""The one retry policy: full jitter, a ceiling, and what the destination asked for.

Full jitter spreads a fleet that comes back after a regional outage evenly over the back-off; a
refused credential is asked about every few minutes only, because a person has to act.
"""

from collections.abc import Callable

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.wait import wait_random, wait_random_exponential

from agent.cloud import Misconfigured, Unauthorized, Unreachable
from agent.errors import FieldpostError

FIRST_S = 1.0  # ceiling of the first pause; doubles with each failure
CEILING_S = 300.0  # of a pause without Retry-After
PERSON_S = (120.0, 300.0)  # between tries while a person has to act
RETRY_AFTER_MAX_S = 3600.0  # longer wishes are capped: a server's mistake must not cost a day

Waiting = Callable[[FieldpostError, float], None]


def retrying(on_wait: Waiting) -> AsyncRetrying:
    """Try until it works; only an answer or a judgement ends it.

    Args:
        on_wait: told the failure and the pause before the next try, seconds.
    """

    def before_sleep(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, FieldpostError):
            on_wait(error, state.upcoming_sleep)

    return AsyncRetrying(
        retry=retry_if_exception_type((Unreachable, Unauthorized, Misconfigured)),
        wait=_pause,
        before_sleep=before_sleep,
        reraise=True,
    )


_backoff = wait_random_exponential(multiplier=FIRST_S, max=CEILING_S)
_person = wait_random(*PERSON_S)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Unauthorized | Misconfigured):
        return _person(state)
    asked = getattr(error, "retry_after_s", None)
    if asked is None or asked <= 0:
        return _backoff(state)
    # what was asked for, and jitter on top, so that a fleet does not return in the same second
    return min(float(asked), RETRY_AFTER_MAX_S) + min(_backoff(state), float(asked))
