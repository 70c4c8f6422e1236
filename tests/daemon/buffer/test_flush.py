"""What a flush promises, and what becomes of samples that the quota leaves no room for."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cloud import Limits, Receipt
from agent.daemon.buffer import Buffer, Lane, Loss
from agent.daemon.buffer.database import Frame
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.orders import Done, Order
from agent.daemon.buffer.store import Store
from agent.daemon.buffer.trouble import FullError
from tests.daemon.buffer.parts import (
    SITE,
    HandClock,
    balanced,
    drain,
    made,
    opened,
    powers,
    put,
    salvaged_here,
    sample,
    set_aside,
)

SMALL = Frame(pages=80, window_ms=1000, ballast_bytes=0, hardware=bytes(8))


class Quota:
    """What the store of a test says to some orders.

    Attributes:
        refuses: which ones.
        error: what it says to them.
    """

    def __init__(self, error: type[Exception] = FullError) -> None:
        self.refuses: Callable[[Order], bool] = _none
        self.error = error

    def build(self) -> Build:
        quota = self

        class Strict(Store):
            def commit(self, order: Order) -> Done:
                if quota.refuses(order):
                    raise quota.error
                return super().commit(order)

        return Build(made, store=Strict, salvage=salvaged_here)


def _none(order: Order) -> bool:
    del order
    return False


def _every(order: Order) -> bool:
    del order
    return True


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@asynccontextmanager
async def always_something_to_commit(buffer: Buffer, clock: HandClock) -> AsyncIterator[None]:
    async def producer() -> None:
        while True:
            await buffer.put(sample(clock, 1.0))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(producer(), name=f"producer {n}") for n in range(5)]
        yield
        for task in tasks:
            task.cancel()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def test_a_flush_ends_while_more_and_more_comes(tmp_path: Path, clock: HandClock) -> None:
    """It promises what was accepted before, and no more."""
    site = replace(SITE, may_lose_s=0.0)
    async with (
        opened(tmp_path, clock, site=site) as buffer,
        always_something_to_commit(buffer, clock),
    ):
        await until(lambda: buffer.facts().commits > 10)
        assert await buffer.flush()


async def test_a_flush_tells_that_there_was_no_room_and_the_next_one_has_it_all(
    tmp_path: Path, clock: HandClock
) -> None:
    quota = Quota()
    async with opened(tmp_path, clock, build=quota.build()) as buffer:
        quota.refuses = _every
        await buffer.put(sample(clock, 1))
        assert not await buffer.flush()
        await buffer.put(sample(clock, 2))
        assert not await buffer.flush()
        quota.refuses = _none
        assert await buffer.flush()
        assert powers(await drain(buffer.outbox("cloud"))) == [1, 2]


async def test_what_comes_while_there_is_no_room_needs_no_push_once_there_is(
    tmp_path: Path, clock: HandClock
) -> None:
    quota = Quota()
    async with opened(tmp_path, clock, build=quota.build()) as buffer:
        quota.refuses = _every
        await buffer.put(sample(clock, 1))
        assert not await buffer.flush()
        await buffer.put(sample(clock, 2))
        quota.refuses = _none
        await until(lambda: buffer.facts().accepted_readings_total == 2)


@pytest.mark.parametrize("error", [FullError, TypeError])
async def test_what_could_not_be_committed_before_the_stop_is_counted_by_the_next_start(
    tmp_path: Path, clock: HandClock, error: type[Exception]
) -> None:
    quota = Quota(error)
    async with opened(tmp_path, clock, build=quota.build()) as buffer:
        await put(buffer, clock, *range(20))
        epoch = buffer.facts().epoch
        quota.refuses = _every
        await buffer.put(sample(clock, 20))
        assert not await buffer.flush()
        for value in range(21, 27):
            await buffer.put(sample(clock, value))
    async with opened(tmp_path, clock) as buffer:
        facts = buffer.facts()
        assert facts.destinations["cloud"].lost_by_reason == {Loss.RAM_LOST: 7}
        assert facts.epoch == epoch
        assert powers(await drain(buffer.outbox("cloud"))) == [*range(20)]
    async with opened(tmp_path, clock) as buffer:
        assert buffer.facts().destinations["cloud"].lost_by_reason == {Loss.RAM_LOST: 7}


async def test_a_stop_tells_what_is_not_on_the_card(tmp_path: Path, clock: HandClock) -> None:
    quota = Quota(FullError)
    buffer = Buffer(tmp_path, SITE, clock, ["cloud"], quota.build())
    await buffer.open()
    await put(buffer, clock, 1)
    quota.refuses = _every
    for value in range(2, 5):
        await buffer.put(sample(clock, value))
    assert (await buffer.close()).readings == 3


async def test_a_damaged_store_is_kept_until_what_came_of_it_is_committed(
    tmp_path: Path, clock: HandClock
) -> None:
    quota = Quota()
    await set_aside(tmp_path, clock, tmp_path, *range(30))
    quota.refuses = lambda order: bool(order.rescued)
    async with opened(tmp_path, clock, build=quota.build()) as buffer:
        async with asyncio.TaskGroup() as group:
            salvage = group.create_task(buffer.salvage(), name="salvage")
            await asyncio.sleep(0.5)
            assert not salvage.done()
            assert (tmp_path / "quarantine" / "0001").exists()
            quota.refuses = _none
        assert sorted(map(int, powers(await drain(buffer.outbox("cloud"))))) == [*range(30)]
        assert balanced(buffer)
    assert not (tmp_path / "quarantine").exists()


async def test_what_is_salvaged_makes_room_for_itself(tmp_path: Path, clock: HandClock) -> None:
    await set_aside(tmp_path, clock, tmp_path, *range(30))
    async with opened(
        tmp_path, clock, build=Build(made, frame=SMALL, salvage=salvaged_here)
    ) as buffer:
        number = 0
        while await buffer.flush():
            await buffer.put(sample(clock, os.urandom(2000).hex()))
            number += 1
        await buffer.salvage()
        delivered = powers(await drain(buffer.outbox("cloud")))
        assert [value for value in delivered if not isinstance(value, str)] == [*range(30)]
        assert balanced(buffer)
        lost = buffer.facts().destinations["cloud"].lost_by_reason
        assert lost == {Loss.DROPPED: number + 30 - len(delivered)}
    assert not (tmp_path / "quarantine").exists()


async def test_what_is_refused_is_given_up_once_though_the_quota_leaves_no_room_for_that(
    tmp_path: Path, clock: HandClock
) -> None:
    quota = Quota()
    site = replace(SITE, buffer_bytes=64 * 4096)
    async with opened(tmp_path, clock, site=site, build=quota.build()) as buffer:
        await put(buffer, clock, *range(450))
        box = buffer.outbox("cloud")
        while batch := await box.take(Limits(records=50), Lane.ANY):
            await box.settle(batch, Receipt((), dict.fromkeys(range(len(batch.records)), "no")))
        assert await buffer.views.settle()
        quota.refuses = lambda order: bool(order.losses)
        await buffer.look_after()
        quota.refuses = _none
        await buffer.look_after()
        assert balanced(buffer)
        held = (await buffer.views.held())["cloud"].count.readings
        cloud = buffer.facts().destinations["cloud"]
        assert (cloud.rejected, cloud.lost) == (held, 450 - held)
