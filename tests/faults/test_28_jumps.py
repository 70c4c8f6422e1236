"""Faults 28 and 29: the wall clock jumps or saws while the gateway runs; no timer notices.

`test_27_clocks.py` has the stamps. Here an uplink with its pauses, a store that expires what is old
and a destination that is away for a while go on as if nothing had happened.
"""

import asyncio
from dataclasses import replace

import pytest

from agent.sample import Instant
from tests.faults.clouds import http
from tests.faults.road import DEADLINE_S, HOUR_S, SOUND, Archive, Road, road
from tests.lab.hurry import hurried
from tests.lab.scripted import Answer, Scripted, always, in_turn, reply
from tests.simulation.clock import SimClock

DAY_NS = 86_400 * 10**9
JUMPS = {"400 days back": -400 * DAY_NS, "an hour back": -3600 * 10**9, "20 years": 7300 * DAY_NS}
AWAY = 3  # requests that fail, so that the uplink pauses in the middle of it
KEPT_S = HOUR_S


class WallClock(SimClock):
    """Measures everything with the clock on the wall."""

    def now(self) -> Instant:
        now = super().now()
        return replace(now, mono_ns=now.wall_ns)

    def monotonic_s(self) -> float:
        return super().now().wall_ns / 1e9


async def through(jumps_ns: list[int], kind: type[SimClock]) -> list[str]:
    """What is wrong after the clock showed each of these errors, and none at last."""
    archive = Archive()
    away = [archive.deaf(always(*reply(503, b"{}")))] * AWAY
    script: list[Answer] = [archive]
    for _ in jumps_ns:
        script += [*away, archive, archive]
    async with (
        Scripted(in_turn([*script, archive])) as server,
        http(server.url, deadline_s=DEADLINE_S) as cloud,
        road(cloud, archive, SOUND, kind) as way,
    ):
        way.buffer.outbox("cloud").keep(KEPT_S)
        await goes_on(way)
        for jump_ns in jumps_ns:
            for error_ns in (jump_ns, 0):
                await way.put(5)
                way.clock.show(error_ns, vouched=True)
                await goes_on(way)
        return await way.judge()


async def goes_on(way: Road) -> None:
    """Samples come, the store looks after itself, and all is carried within minutes."""
    await way.put(5)
    await way.buffer.look_after()
    await asyncio.sleep(1)
    await way.through(KEPT_S / 4)


@pytest.mark.parametrize("jump", JUMPS)
def test_nothing_expires_repeats_or_hangs(jump: str) -> None:
    assert hurried(through([JUMPS[jump]], SimClock)) == []


def test_a_clock_that_saws_all_day_disturbs_nobody() -> None:
    assert hurried(through([JUMPS["an hour back"], 3600 * 10**9] * 8, SimClock)) == []


@pytest.mark.parametrize("jump", JUMPS)
def test_who_measures_with_the_clock_on_the_wall_is_caught(jump: str) -> None:
    assert hurried(through([JUMPS[jump]], WallClock)) != []
