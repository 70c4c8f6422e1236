"""Fault 12: the quota is reached: what goes, in which order, and that all of it is counted."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cloud import Record
from agent.daemon.buffer import Buffer, DestinationFacts
from agent.sample import Sample, Value
from tests.daemon.buffer.parts import SITE, HandClock, drain, opened, put

SMALL = replace(SITE, buffer_bytes=1 << 20, may_lose_s=3600.0)
SECONDS = 15_000
PATIENCE_S = 30.0  # far below the minute after which everything is written


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def values_of(number: int) -> dict[str, Value]:
    """Hard to pack, and known for every number."""
    return {f"p{place}": (number * 7919 + place * 104729) % 1_000_003 / 7 for place in range(12)}


async def months_offline(buffer: Buffer, clock: HandClock, samples: int = SECONDS) -> None:
    """A sample a second, a commit every 25, and the store looks after itself."""
    for number in range(1, samples + 1):
        urgent = number % 500 == 0
        if urgent:
            await buffer.put(Sample("alarm", clock.now(), {"alarm": number}, urgent=True))
        else:
            await buffer.put(Sample("meter", clock.now(), values_of(number)))
        clock.tick(1)
        if number % 25 == 0:
            await buffer.flush()
            await buffer.look_after()
            await buffer.flush()


def balanced(facts: DestinationFacts) -> bool:
    held = facts.delivered + facts.rejected + facts.lost + facts.waiting
    return facts.accepted == held and facts.waiting >= 0


def true(records: Sequence[Record]) -> bool:
    """No value but those that were served, each under its own number."""
    return all(
        value == values_of(record.seq)[point]
        for record in records
        if record.device == "meter"
        for point, value in record.values.items()
    )


@pytest.mark.timeout(60)
async def test_old_data_is_thinned_and_alarms_stay(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock, site=SMALL) as buffer:
        await months_offline(buffer, clock)
        facts = buffer.facts()
        assert facts.used_bytes <= SMALL.buffer_bytes
        cloud = facts.destinations["cloud"]
        assert balanced(cloud)
        assert cloud.lost_by_reason["thinned"] == cloud.lost > 0
        records = await drain(buffer.outbox("cloud"))
        assert true(records)
        assert sum(len(r.values) for r in records) == cloud.waiting
        assert [r.seq for r in records if r.device == "alarm"] == [*range(500, SECONDS + 1, 500)]
        assert buffer.outbox("cloud").waiting().samples == 0
        assert balanced(buffer.facts().destinations["cloud"])


@pytest.mark.timeout(60)
async def test_thinning_keeps_the_extremes_of_every_minute(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, site=SMALL) as buffer:
        await months_offline(buffer, clock, 9000)
        records = await drain(buffer.outbox("cloud"))
    kept = {(record.seq, point) for record in records for point in record.values}
    thin = [r for r in records if r.device == "meter" and len(r.values) < 12]
    assert thin
    first = thin[0].seq // 60 * 60 + 60
    numbers = [n for n in range(first, first + 60) if n % 500]
    at = {record.seq: record.time_ns for record in records}
    minute = {n for n in numbers if n in at}
    for point in ("p0", "p7"):
        values = {n: values_of(n)[point] for n in numbers}
        assert max(values.values()) in {values[n] for n in minute if (n, point) in kept}
        assert min(values.values()) in {values[n] for n in minute if (n, point) in kept}


@pytest.mark.timeout(60)
async def test_drop_oldest_drops_the_oldest_ordinary_ones(tmp_path: Path, clock: HandClock) -> None:
    site = replace(SMALL, when_full="drop-oldest")
    async with opened(tmp_path, clock, site=site) as buffer:
        await months_offline(buffer, clock)
        cloud = buffer.facts().destinations["cloud"]
        assert balanced(cloud)
        assert cloud.lost_by_reason["dropped"] == cloud.lost > 0
        records = await drain(buffer.outbox("cloud"))
    assert true(records)
    meter = [r.seq for r in records if r.device == "meter"]
    assert meter == [n for n in range(meter[0], SECONDS + 1) if n % 500]
    assert [r.seq for r in records if r.device == "alarm"] == [*range(500, SECONDS + 1, 500)]


@pytest.mark.timeout(60)
async def test_refuse_new_keeps_what_it_has_and_counts_what_it_refuses(
    tmp_path: Path, clock: HandClock
) -> None:
    site = replace(SMALL, when_full="refuse-new")
    async with opened(tmp_path, clock, site=site) as buffer:
        await months_offline(buffer, clock)
        cloud = buffer.facts().destinations["cloud"]
        alarms = SECONDS // 500
        offered = (SECONDS - alarms) * 12 + alarms
        assert cloud.lost == 0
        assert cloud.lost_by_reason["refused_new"] == offered - cloud.accepted
        records = await drain(buffer.outbox("cloud"))
        assert sum(r.device == "alarm" for r in records) == alarms


@pytest.mark.timeout(60)
async def test_what_is_refused_is_in_the_ledger_before_anybody_can_pull_the_plug(
    tmp_path: Path, clock: HandClock
) -> None:
    site = replace(SMALL, when_full="refuse-new")
    async with opened(tmp_path / "run", clock, site=site) as buffer:
        while "refused_new" not in buffer.facts().destinations["cloud"].lost_by_reason:
            await months_offline(buffer, clock, 500)
        before, commits = buffer.facts().destinations["cloud"], buffer.facts().commits
        for number in range(10):
            await buffer.put(Sample("meter", clock.now(), values_of(number)))
        async with asyncio.timeout(PATIENCE_S):
            while buffer.facts().commits == commits:  # nobody asks for one
                await asyncio.sleep(0.05)
        shutil.copytree(tmp_path / "run", tmp_path / "cut")
    async with opened(tmp_path / "cut", clock, site=site) as buffer:
        after = buffer.facts().destinations["cloud"]
    refused = after.lost_by_reason["refused_new"] - before.lost_by_reason["refused_new"]
    assert (refused, after.accepted) == (120, before.accepted)


@pytest.mark.timeout(60)
async def test_a_dead_destination_costs_the_others_nothing(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, ("alive", "dead"), site=SMALL) as buffer:
        got = 0
        for _ in range(30):
            await months_offline(buffer, clock, 500)
            got += len(await drain(buffer.outbox("alive")))
        facts = buffer.facts().destinations
        assert facts["alive"].lost == 0
        assert got == facts["alive"].accepted_samples
        assert facts["dead"].lost > 0
        assert balanced(facts["dead"])


async def test_what_is_kept_offline_too_long_expires_by_running_time(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        buffer.outbox("cloud").keep(3600)
        await put(buffer, clock, 1, 2)
        clock.wall_ns += 400 * 86_400 * 10**9  # the wall clock jumps: nothing expires
        await buffer.look_after()
        assert buffer.outbox("cloud").waiting().samples == 2
        clock.tick(3000)
        await put(buffer, clock, 3)
        clock.tick(700)
        await buffer.look_after()
        await buffer.flush()
        facts = buffer.facts().destinations["cloud"]
        assert (facts.lost, facts.waiting) == (2, 1)
        assert facts.lost_by_reason == {"expired": 2}


async def test_a_stop_does_not_count_as_running_time(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1)
        clock.tick(1800)
    clock.reboot("boot-2")
    clock.wall_ns += 30 * 86_400 * 10**9
    async with opened(tmp_path, clock) as buffer:
        buffer.outbox("cloud").keep(3600)
        await put(buffer, clock, 2)
        await buffer.look_after()
        assert buffer.outbox("cloud").waiting().samples == 2
        clock.tick(1900)
        await buffer.look_after()
        assert buffer.outbox("cloud").waiting().samples == 1


async def test_the_free_pages_of_a_drained_store_go_back(tmp_path: Path, clock: HandClock) -> None:
    site = replace(SMALL, buffer_bytes=4 << 20)
    async with opened(tmp_path, clock, site=site) as buffer:
        await months_offline(buffer, clock)
        full = buffer.facts().used_bytes
        await drain(buffer.outbox("cloud"))
        for _ in range(60):
            clock.tick(61)
            await put(buffer, clock, 1)
            await drain(buffer.outbox("cloud"))
        assert buffer.facts().used_bytes < full / 2


async def test_the_room_task_wakes_by_itself(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock, site=SMALL) as buffer, asyncio.TaskGroup() as group:
        task = group.create_task(buffer.run(), name="store")
        for number in range(1, 12_000):
            await buffer.put(Sample("meter", clock.now(), values_of(number)))
            clock.tick(1)
            if number % 100 == 0:
                await buffer.flush()
                await asyncio.sleep(0.005)
        cloud = buffer.facts().destinations["cloud"]
        task.cancel()
    assert cloud.lost > 0
    assert balanced(cloud)
