"""Fault 55: a thousand gateways return at once after a regional outage.

The retry policy is the product's own, on hurried time. No second may see more than 2 % of them, and
each is back within the longest pause and a minute (I7). The same holds when all of them see a new
route in one moment, and when the power of all comes back.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tenacity import RetryCallState
from typing_extensions import override

from agent.cloud import Batch, Limits, Receipt, Unreachable, Vitals
from agent.daemon.buffer.opening import Build as StoreBuild
from agent.daemon.uplink import Uplink
from agent.daemon.uplink.comeback import (
    FLEET_S,
    JITTER_S,
    YOUNG_S,
    Comeback,
    after_boot_s,
    spread,
)
from agent.daemon.uplink.retry import CEILING_S, FIRST_S, Retry
from agent.plan import Destination
from agent.sample import Sample
from tests.daemon.buffer.parts import made, opened
from tests.daemon.twins import Reported
from tests.faults.road import HOUR_S, on_card
from tests.lab.crashes import scratch
from tests.lab.hurry import hurried
from tests.simulation.clock import SimClock
from tests.simulation.loop import VirtualLoop

GATEWAYS = 1000
FLEET = 500  # whose pauses are an hour long
SHARE = 0.02
OUTAGE_S = 900.0  # long enough for the longest pauses
SEED = 55
CLOUD = Destination("cloud", "http", "x:y", 10.0, None, {})
UNTRUSTED_S = 10.0  # until the time of day is known

Makes = Callable[[Comeback], Retry]


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


async def returning(makes: Makes, destinations: int) -> list[list[float]]:
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
                group.create_task(lane(makes(comeback), heard), name=f"gateway {number}")
    return back


def judged(back: list[float]) -> list[str]:
    """What is wrong with how they returned."""
    most = max(Counter(int(second) for second in back).values())
    findings = [f"{most} of {len(back)} in one second"] if most > SHARE * len(back) else []
    late = max(back) - CEILING_S - 60.0
    return [*findings, *([f"I7: {late:.0f} s too late"] if late > 0 else [])]


BUILDS: dict[str, tuple[Makes, bool]] = {
    "sound": (sound, True), "no jitter": (lockstep, False), "little jitter": (close, False),
}  # fmt: skip


@pytest.mark.timeout(90)  # seconds of work, more on a busy machine
@pytest.mark.parametrize("build", BUILDS)
def test_no_second_sees_more_than_a_fiftieth_of_them(build: str) -> None:
    makes, good = BUILDS[build]
    [back] = hurried(returning(makes, 1))
    assert len(back) == GATEWAYS
    assert bool(judged(back)) is not good


async def seeing_a_route(makes: Makes, after_s: float) -> list[float]:
    """When each gateway is back, should all see the same sign in the same moment."""
    random.seed(SEED)
    loop, back = asyncio.get_running_loop(), list[float]()

    async def ask() -> float:
        if loop.time() < after_s:
            message = "nobody answers"
            raise Unreachable(message)
        return loop.time() - after_s

    async def gateway(comeback: Comeback) -> None:
        back.append(await makes(comeback).until_answered(ask))

    async with asyncio.TaskGroup() as group:
        fleet = [Comeback() for _ in range(FLEET)]
        for number, comeback in enumerate(fleet):
            group.create_task(gateway(comeback), name=f"gateway {number}")
        await asyncio.sleep(after_s)
        for comeback in fleet:
            comeback.heard()
    return back


class Eager(Retry):
    """Is back within seconds, however many others are."""

    @override
    def _spread_s(self) -> float:
        return JITTER_S


def eager(comeback: Comeback) -> Retry:
    return Eager(told, comeback)


@pytest.mark.timeout(90)
@pytest.mark.parametrize(("makes", "good"), [(sound, True), (eager, False)])
def test_a_sign_that_all_see_brings_them_back_one_after_the_other(
    makes: Makes, *, good: bool
) -> None:
    assert bool(judged(hurried(seeing_a_route(makes, HOUR_S)))) is not good


def awakening(uptime_s: float) -> list[float]:
    random.seed(SEED)
    return [spread(after_boot_s(uptime_s, 10.0, backlog=True)) for _ in range(GATEWAYS)]


def test_those_whose_power_is_back_begin_one_after_the_other() -> None:
    assert judged(awakening(40.0)) == []
    assert judged(awakening(YOUNG_S + 1)) != []  # they would have been started one by one


class Asked:
    """A destination that notes when it was first asked for what, by the boot clock."""

    limits = Limits(trusted_time=True)

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self.first_s: dict[str, float] = {}

    async def send(self, batch: Batch) -> Receipt:
        for one in batch.records:
            self.first_s.setdefault(str(one.values["what"]), self._clock.monotonic_s())
        return Receipt(range(len(batch.records)))

    async def aclose(self) -> None:
        """Nothing to let go of."""


async def started(*, boots: int, uptime_s: float = 0.0, vouched: bool = True) -> dict[str, float]:
    """After what time a gateway with a backlog sends that, and an alarm."""
    clock = SimClock(asyncio.get_running_loop().time)
    clock.reboot("boot-0", 0.0)
    clock.show(0, vouched=True)
    build = StoreBuild(made, thread=on_card)
    with scratch() as folder:
        async with opened(folder, clock, build=build) as buffer:
            await buffer.put(Sample("meter", clock.now(), {"what": "backlog"}))
        for number in range(boots):
            clock.reboot(f"boot-{number + 1}", 0.0)
        await asyncio.sleep(uptime_s)
        clock.show(0, vouched=vouched)
        now = clock.now()
        async with opened(folder, clock, build=build) as buffer:
            cloud = Asked(clock)
            uplink = Uplink(CLOUD, lambda: cloud, buffer.outbox("cloud"), Reported(), clock)
            uplink.awoke = buffer.awoke(now)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(uplink.run(lambda: Vitals(1, "0.1.0", 1000)), name="up")
                await asyncio.sleep(0.5)
                await buffer.put(Sample("meter", clock.now(), {"what": "alarm"}, urgent=True))
                await asyncio.sleep(UNTRUSTED_S)
                clock.show(0, vouched=True)
                while "backlog" not in cloud.first_s:
                    await asyncio.sleep(0.1)
                task.cancel()
    return {what: at_s - now.mono_ns / 1e9 for what, at_s in cloud.first_s.items()}


def first_sent(**how: Any) -> dict[str, float]:
    random.seed(SEED)
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(started(**how))


def test_a_gateway_that_awakes_with_a_backlog_waits_a_little_and_its_alarms_do_not() -> None:
    first_s = first_sent(boots=1)
    assert 2.0 < first_s["backlog"] <= FLEET_S + 5.0
    assert first_s["alarm"] < 2.0


@pytest.mark.parametrize("how", [{"boots": 0}, {"boots": 1, "uptime_s": YOUNG_S}])
def test_who_is_started_by_a_person_begins_at_once(how: dict[str, Any]) -> None:
    assert first_sent(**how)["backlog"] < 2.0


def test_alarms_that_wait_for_the_time_of_day_wait_without_haste() -> None:
    """They waited in an endless loop, and nothing else had its turn any more."""
    first_s = first_sent(boots=1, vouched=False)
    assert UNTRUSTED_S < first_s["alarm"] < UNTRUSTED_S + 20.0
    assert first_s["backlog"] <= FLEET_S + 20.0
