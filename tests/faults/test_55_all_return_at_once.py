"""Fault 55: a thousand gateways return at once after a regional outage.

The retry policy is the product's own, on hurried time. No second may see more than 2 % of them, and
each is back within the longest pause and a minute (I7).
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest
from tenacity import RetryCallState
from typing_extensions import override

from agent.cloud import Unreachable
from agent.daemon.uplink.comeback import Comeback
from agent.daemon.uplink.retry import CEILING_S, FIRST_S, Retry
from tests.lab.hurry import hurried

GATEWAYS = 1000
SHARE = 0.02
OUTAGE_S = 900.0  # long enough for the longest pauses
SEED = 55

Made = Callable[[Comeback], Retry]


def told(*_: object) -> None:
    pass


def sound(comeback: Comeback) -> Retry:
    return Retry(told, comeback)


class Lockstep(Retry):
    """Doubles its pauses, as the sound one does, and leaves nothing to chance."""

    @override
    def _wait(self, state: RetryCallState) -> float:
        super()._wait(state)
        return min(CEILING_S, FIRST_S * 2.0**state.attempt_number)


class Close(Retry):
    """Leaves a tenth of its pauses to chance."""

    @override
    def _wait(self, state: RetryCallState) -> float:
        super()._wait(state)
        return min(CEILING_S, FIRST_S * 2.0**state.attempt_number) * random.uniform(0.9, 1.0)  # noqa: S311 - as in the sound one


def lockstep(comeback: Comeback) -> Retry:
    return Lockstep(told, comeback)


def close(comeback: Comeback) -> Retry:
    return Close(told, comeback)


async def returning(made: Made, destinations: int) -> list[list[float]]:
    """When each gateway is back after the outage, by destination."""
    random.seed(SEED)
    loop = asyncio.get_running_loop()
    back: list[list[float]] = [[] for _ in range(destinations)]

    async def ask() -> float:
        await asyncio.sleep(0.2)
        if loop.time() < OUTAGE_S:
            message = "nobody answers"
            raise Unreachable(message)
        return loop.time() - OUTAGE_S

    async def lane(retry: Retry, heard: list[float]) -> None:
        heard.append(await retry.until_answered(ask))

    async with asyncio.TaskGroup() as group:
        for number in range(GATEWAYS):
            comeback = Comeback()
            for heard in back:
                group.create_task(lane(made(comeback), heard), name=f"gateway {number}")
    return back


def judged(back: list[float]) -> list[str]:
    """What is wrong with how they returned."""
    most = max(Counter(int(second) for second in back).values())
    findings = [f"{most} of {GATEWAYS} in one second"] if most > SHARE * GATEWAYS else []
    late = max(back) - CEILING_S - 60.0
    return [*findings, *([f"I7: {late:.0f} s too late"] if late > 0 else [])]


BUILDS: dict[str, tuple[Made, bool]] = {
    "sound": (sound, True), "no jitter": (lockstep, False), "little jitter": (close, False),
}  # fmt: skip


@pytest.mark.timeout(30)  # seconds of work, more on a busy machine
@pytest.mark.parametrize("build", BUILDS)
def test_no_second_sees_more_than_a_fiftieth_of_them(build: str) -> None:
    made, good = BUILDS[build]
    [back] = hurried(returning(made, 1))
    assert len(back) == GATEWAYS
    assert bool(judged(back)) is not good
