"""Doing something once, or again and again until a number or a time is reached."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agent.errors import FieldpostError, NoAnswerError


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often.

    Attributes:
        every_s: None is once.
        count: at most so many rounds.
        for_s: at most so long.
    """

    every_s: float | None = None
    count: int | None = None
    for_s: float | None = None

    def over(self, number: int, elapsed_s: float) -> bool:
        """Whether round `number`, from 1, was the last."""
        if self.every_s is None or number == self.count:
            return True
        return self.for_s is not None and elapsed_s >= self.for_s


async def repeat(
    rounds: Rounds, step: Callable[[], Awaitable[None]], complain: Callable[[NoAnswerError], None]
) -> FieldpostError | None:
    """Do `step` so often; a device that does not answer once may answer the next time.

    Returns:
        The last refusal, if any. Nothing is raised: the caller has something to close.
    """
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    failure: FieldpostError | None = None
    for number in itertools.count(1):
        try:
            await step()
        except NoAnswerError as error:
            failure = error
            complain(error)
        except FieldpostError as error:
            return error
        if rounds.over(number, loop.time() - began_s):
            break
        next_s = began_s + number * (rounds.every_s or 0)
        await asyncio.sleep(max(0.0, next_s - loop.time()))
    return failure
