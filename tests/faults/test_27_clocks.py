"""Faults 27, 28, 29 and 31: a clock that is unset, jumps, saws, or runs out of digits."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from agent.cloud import Limits, TimeQuality
from agent.daemon.buffer import Lane
from tests.daemon.buffer.parts import WALL_NS, HandClock, drain, opened, powers, put, take

DAY_NS = 86_400 * 10**9
CORRECTLY = Limits(trusted_time=True)  # a destination that cannot correct later


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def unset(clock: HandClock, wall_ns: int = 3_600 * 10**9) -> None:
    """As after a boot without a clock battery."""
    clock.trusted, clock.wall_ns = False, wall_ns


def set_right(clock: HandClock) -> None:
    """The time of the plant is its boot clock, counted from WALL_NS."""
    clock.trusted, clock.wall_ns = True, WALL_NS + clock.mono_ns


async def test_samples_wait_for_their_time_where_it_cannot_be_corrected_later(
    tmp_path: Path, clock: HandClock
) -> None:
    unset(clock)
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        start_ns = clock.mono_ns
        await put(buffer, clock, 1, 2, 3)
        assert await take(box, Lane.ANY, CORRECTLY) == []
        assert box.waiting().samples == 3
        clock.tick(600)
        set_right(clock)
        await put(buffer, clock, 4)
        records = await take(box, Lane.ANY, CORRECTLY)
    assert powers(records) == [1, 2, 3, 4]
    assert [r.time_ns - WALL_NS - start_ns for r in records][:3] == [0, 10**8, 2 * 10**8]
    assert {r.time for r in records} == {TimeQuality.EXACT}


async def test_trust_is_noticed_without_a_new_sample(tmp_path: Path, clock: HandClock) -> None:
    unset(clock)
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        await put(buffer, clock, 1)
        assert await take(box, Lane.ANY, CORRECTLY) == []
        set_right(clock)
        assert await take(box, Lane.ANY, CORRECTLY) == []  # looks, and has it committed
        async with asyncio.timeout(20):
            await box.wait()
        assert powers(await take(box, Lane.ANY, CORRECTLY)) == [1]


async def test_what_was_sent_as_it_was_keeps_its_stamp(tmp_path: Path, clock: HandClock) -> None:
    unset(clock)
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        await put(buffer, clock, 1, 2)
        before = await take(box)
        assert {r.time for r in before} == {TimeQuality.UNTRUSTED}
        clock.tick(60)
        set_right(clock)
        await put(buffer, clock, 3)
        after = await take(box)
        assert after[:2] == before
        assert after[2].time is TimeQuality.EXACT
        exact = await take(box, Lane.ANY, CORRECTLY)  # another destination gets the truth
        assert [r.time_ns - WALL_NS for r in exact[:2]] == [10**9, 11 * 10**8]


async def test_a_boot_that_never_knew_the_time_is_placed_before_the_next(
    tmp_path: Path, clock: HandClock
) -> None:
    unset(clock)
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1, 2, 3)
        clock.tick(10)
    clock.reboot("boot-2")
    async with opened(tmp_path, clock) as buffer:
        assert await take(buffer.outbox("cloud"), Lane.ANY, CORRECTLY) == []
        set_right(clock)
        await put(buffer, clock, 4)
        records = await take(buffer.outbox("cloud"), Lane.ANY, CORRECTLY)
    assert powers(records) == [1, 2, 3, 4]
    assert [r.time for r in records] == [TimeQuality.ESTIMATED] * 3 + [TimeQuality.EXACT]
    spacing = [later.time_ns - r.time_ns for r, later in pairwise(records)]
    assert spacing[:2] == [10**8, 10**8]
    assert spacing[2] > 0


@pytest.mark.parametrize("jump_ns", [-400 * DAY_NS, -3_600 * 10**9, 7_200 * 10**9, 7300 * DAY_NS])
async def test_a_jump_repeats_loses_expires_and_reorders_nothing(
    tmp_path: Path, clock: HandClock, jump_ns: int
) -> None:
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        box.keep(3600)
        await put(buffer, clock, 1, 2)
        clock.wall_ns += jump_ns
        await put(buffer, clock, 3)
        await buffer.look_after()
        first = await drain(box)
        clock.wall_ns -= jump_ns
        await put(buffer, clock, 4)
        await buffer.look_after()
        records = first + await drain(box)
    assert sorted(map(int, powers(records))) == [1, 2, 3, 4]
    assert powers(records)[-1] == 4
    assert records[-1].time_ns == WALL_NS + 3 * 10**8
    assert len({r.seq for r in records}) == 4


async def test_what_was_not_sent_during_a_jump_ahead_gets_its_true_time(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        await put(buffer, clock, 1)
        await drain(box)
        clock.wall_ns += 7300 * DAY_NS
        await put(buffer, clock, 2, 3)
        clock.wall_ns -= 7300 * DAY_NS
        await put(buffer, clock, 4)
        records = await drain(box)
    assert [r.time_ns - WALL_NS for r in records] == [10**8, 2 * 10**8, 3 * 10**8]


async def test_a_saw_of_a_bad_time_server_costs_nothing_but_eras(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        for tooth in range(60):
            await put(buffer, clock, tooth)
            clock.wall_ns += 3_600 * 10**9 if tooth % 2 else -3_600 * 10**9
        records = await drain(buffer.outbox("cloud"))
        await put(buffer, clock, "last")
        records += await drain(buffer.outbox("cloud"))
    assert sorted(r.seq for r in records) == [*range(1, 62)]
    assert buffer.outbox("cloud").waiting().samples == 0


@pytest.mark.parametrize(
    "wall_ns", [0, 2**31 * 10**9, 2**32 * 10**9, 253_402_300_800 * 10**9, -(10**9)]
)
async def test_the_end_of_some_clocks_is_not_the_end_of_ours(
    tmp_path: Path, clock: HandClock, wall_ns: int
) -> None:
    clock.wall_ns = wall_ns
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1, 2)
        records = await take(buffer.outbox("cloud"))
    assert [r.time_ns for r in records] == [wall_ns, wall_ns + 10**8]
