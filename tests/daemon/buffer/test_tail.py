"""What was acknowledged is held for a while, and goes again when the destination has forgotten."""

import asyncio
import shutil
from pathlib import Path

import pytest

from agent.cloud import Batch, Limits, Receipt
from agent.daemon.buffer import Buffer, Lane
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.reading import Ask, Found
from agent.daemon.buffer.store import Store
from tests.daemon.buffer.parts import HandClock, drain, made, opened, powers, put, take

HOLD_S = 2400.0


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def balanced(buffer: Buffer) -> bool:
    facts = buffer.facts().destinations["cloud"]
    return facts.accepted == facts.delivered + facts.rejected + facts.lost + facts.waiting


async def settle_on_card(buffer: Buffer, clock: HandClock) -> None:
    """Two commits, each later than the deletes are due."""
    for _ in range(2):
        clock.tick(61)
        await put(buffer, clock, -1)
        await drain(buffer.outbox("cloud"))
        await buffer.flush()


async def test_what_was_acknowledged_goes_again_under_the_same_names(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        box.tail.hold(HOLD_S)
        await put(buffer, clock, 1, 2, 3)
        first = await drain(box)
        await settle_on_card(buffer, clock)
        before = buffer.facts().destinations["cloud"]
        assert box.resend()
        again = await drain(box)
        assert again[:3] == first
        assert len(again) == 5
        assert buffer.facts().destinations["cloud"] == before
        assert await take(box) == []


async def test_what_goes_again_is_counted_as_repeated_and_new_ones_are_not(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        box.tail.hold(HOLD_S)
        await put(buffer, clock, 1, 2, 3)
        await drain(box)
        box.resend()
        await put(buffer, clock, 4)
        live = Batch(await take(box, Lane.LIVE))
        assert powers(live.records) == [4]
        assert await box.settle(live, Receipt(accepted=[0])) == 0
        again = Batch(await take(box, Lane.BACKLOG, Limits(records=2)))
        assert await box.settle(again, Receipt(accepted=[0, 1])) == 2
        assert powers(await take(box, Lane.BACKLOG)) == [3]
        assert buffer.facts().destinations["cloud"].delivered == 4
        assert balanced(buffer)


async def test_while_the_disk_does_not_answer_nobody_is_woken_for_what_lies_there(
    tmp_path: Path, clock: HandClock
) -> None:
    silent = asyncio.Event()

    class Silent(Store):
        def read(self, ask: Ask) -> Found:
            return Found(incomplete=True) if silent.is_set() else super().read(ask)

    async with opened(tmp_path, clock, build=Build(made, store=Silent)) as buffer:
        box = buffer.outbox("cloud")
        box.tail.hold(HOLD_S)
        await put(buffer, clock, 1, 2, 3)
        await drain(box)
        await buffer.flush()  # what everybody has is not kept in RAM
        silent.set()
        assert box.resend()
        assert await take(box) == []
        async with asyncio.TaskGroup() as group:
            news = group.create_task(box.wait(), name="wait")
            await asyncio.sleep(0.05)
            assert not news.done()
            silent.clear()
            await put(buffer, clock, 4)
        assert powers(await drain(box)) == [1, 2, 3, 4]
        assert balanced(buffer)


async def test_it_is_let_go_when_it_was_held_for_long_enough(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        box.tail.hold(HOLD_S)
        await put(buffer, clock, 1, 2, 3)
        await drain(box)
        await settle_on_card(buffer, clock)
        clock.tick(HOLD_S + 60)
        await settle_on_card(buffer, clock)
        box.resend()
        assert 1 not in powers(await drain(box))
        assert balanced(buffer)


async def test_nothing_is_held_unless_it_is_asked_for(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        await put(buffer, clock, 1)
        await drain(box)
        assert not box.resend()
        assert await take(box) == []


async def test_after_a_start_all_that_is_still_on_the_card_counts_as_just_acknowledged(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        buffer.outbox("cloud").tail.hold(HOLD_S)
        await put(buffer, clock, 1, 2, 3)
        await drain(buffer.outbox("cloud"))
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        box.tail.hold(HOLD_S)
        assert await take(box) == []
        assert box.resend()
        assert powers(await drain(box)) == [1, 2, 3]
        assert balanced(buffer)


async def test_what_goes_again_is_held_once_more_but_not_for_ever(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        box.tail.hold(HOLD_S)
        await put(buffer, clock, 1)
        await drain(box)
        found = []
        for _ in range(6):
            await settle_on_card(buffer, clock)
            clock.tick(HOLD_S / 2)
            await settle_on_card(buffer, clock)
            box.resend()
            found.append(1 in powers(await drain(box)))
        assert found[:2] == [True, True]
        assert found[-1] is False


async def test_where_room_is_short_what_was_acknowledged_goes_first(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        assert not box.tail.give_up()
        box.tail.hold(HOLD_S)
        await put(buffer, clock, 1)
        await drain(box)
        await settle_on_card(buffer, clock)
        assert box.tail.give_up()
        assert not box.tail.give_up()
        await settle_on_card(buffer, clock)
        box.resend()
        assert 1 not in powers(await drain(box))
        assert balanced(buffer)


async def test_a_stop_in_the_middle_of_it_goes_on_after_the_start(
    tmp_path: Path, clock: HandClock
) -> None:
    stopped = tmp_path / "stopped"
    async with opened(tmp_path / "running", clock) as buffer:
        box = buffer.outbox("cloud")
        box.tail.hold(HOLD_S)
        await put(buffer, clock, 1, 2, 3)
        await drain(box)
        assert box.resend()
        await buffer.flush()
        first = Batch(await take(box, limits=Limits(records=1)))
        await box.settle(first, Receipt(accepted=[0]))
        shutil.copytree(tmp_path / "running", stopped)
    async with opened(stopped, clock) as buffer:
        box = buffer.outbox("cloud")
        box.tail.hold(HOLD_S)
        assert powers(await drain(box))[-2:] == [2, 3]
        assert balanced(buffer)
    async with opened(stopped, clock) as buffer:
        buffer.outbox("cloud").tail.hold(HOLD_S)
        assert await take(buffer.outbox("cloud")) == []
