"""What was refused goes out again under its name, what is held can be given up, and sums stay."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cloud import Batch, Limits, Receipt
from agent.daemon.buffer import Buffer, Lane
from agent.errors import NotFoundError
from tests.daemon.buffer.parts import SITE, HandClock, balanced, drain, opened, powers, put, take


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def refuse(
    buffer: Buffer, *indices: int, name: str = "cloud", reason: str = "too hot"
) -> None:
    """Take everything that waits; some of it is refused, the rest accepted."""
    box = buffer.outbox(name)
    batch = Batch(await take(box, limits=Limits(records=10_000)))
    others = [i for i in range(len(batch.records)) if i not in indices]
    await box.settle(batch, Receipt(others, dict.fromkeys(indices, reason)))


async def test_what_was_refused_is_shown_with_its_reason_at_once(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1, 2, 3)
        await refuse(buffer, 1)
        await buffer.views.settle()
        (found,) = await buffer.views.newest("cloud", 10, 0)
        held = await buffer.views.held()
    assert (found.seq, found.reason, found.again) == (2, "too hot", False)
    assert found.record is not None
    assert found.record.values == {"power": 2}
    assert held["cloud"].count.samples == 1


async def test_a_refused_sample_goes_out_again_as_it_was(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, *range(5))
        box = buffer.outbox("cloud")
        before = (await take(box))[3]
        await refuse(buffer, 1, 3)
        count = await buffer.requeue.replay("cloud", [("", 4)])
        assert (count.samples, count.readings) == (1, 1)
        async with asyncio.timeout(20):
            await box.wait()
        batch = await box.take(Limits(), Lane.BACKLOG)
        assert batch is not None
        assert list(batch.records) == [before]
        assert buffer.facts().destinations["cloud"].rejected == 2
        await box.settle(batch, Receipt([0]))
        assert await box.take(Limits(), Lane.BACKLOG) is None
        facts = buffer.facts().destinations["cloud"]
        assert (facts.delivered, facts.rejected, facts.waiting) == (4, 1, 0)
    async with opened(tmp_path, clock) as buffer:
        assert [row.seq for row in await buffer.views.newest("", 10, 0)] == [2]
        assert buffer.facts().destinations["cloud"].rejected == 1


async def test_it_goes_out_again_even_after_a_stop(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, *range(5))
        await refuse(buffer, 0, 2, 4)
        assert (await buffer.requeue.replay("cloud", None)).samples == 3
    async with opened(tmp_path, clock) as buffer:
        assert powers(await drain(buffer.outbox("cloud"))) == [0, 2, 4]
        assert buffer.facts().destinations["cloud"].delivered == 5


async def test_refused_again_it_stays_with_the_newer_reason(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1)
        await refuse(buffer, 0)
        await buffer.requeue.replay("cloud", None)
        await refuse(buffer, 0, reason="still too hot")
        assert await take(buffer.outbox("cloud")) == []
        await buffer.views.settle()
        (found,) = await buffer.views.newest("cloud", 10, 0)
        assert (found.reason, found.again) == ("still too hot", False)
        assert buffer.facts().destinations["cloud"].rejected == 1


async def test_new_alarms_and_live_samples_go_before_what_is_sent_again(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1)
        await refuse(buffer, 0)
        await buffer.requeue.replay("cloud", None)
        await put(buffer, clock, 2)
        box = buffer.outbox("cloud")
        assert powers(await take(box, Lane.LIVE)) == [2]
        assert powers(await take(box, Lane.BACKLOG)) == [1]


async def test_many_go_out_again_in_batches_that_fit(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, *range(1200))
        await refuse(buffer, *range(1200))
        assert (await buffer.requeue.replay("cloud", None)).samples == 1200
        sent = await drain(buffer.outbox("cloud"), Limits(records=100))
        assert powers(sent) == [*range(1200)]
        assert balanced(buffer)


async def test_given_up_is_counted_and_in_the_ledger(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1, 2, 3)
        await refuse(buffer, 0)
        await put(buffer, clock, 4, 5)
        dropped = await buffer.requeue.drop("cloud", waiting=True, rejected=True)
        assert (dropped.waiting.readings, dropped.rejected.readings) == (2, 1)
        assert balanced(buffer)
        assert await take(buffer.outbox("cloud")) == []
    async with opened(tmp_path, clock) as buffer:
        facts = buffer.facts().destinations["cloud"]
        assert (facts.delivered, facts.lost, facts.waiting, facts.rejected) == (2, 3, 0, 0)
        (line,) = await buffer.views.lost()
        assert (line.reason, line.count.readings, line.exact) == ("dropped_by_operator", 3, True)
        assert line.from_ms is not None
        assert line.from_ms < line.to_ms
        assert await buffer.views.held() == {}


async def test_only_what_was_refused_is_given_up_when_asked_so(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, ("a", "b")) as buffer:
        await put(buffer, clock, 1, 2)
        await refuse(buffer, 0, name="a")
        await refuse(buffer, 1, name="b")
        await put(buffer, clock, 3)
        await buffer.requeue.drop("a", waiting=False, rejected=True)
        assert powers(await take(buffer.outbox("a"))) == [3]
        assert set(await buffer.views.held()) == {"b"}
        assert balanced(buffer)


async def test_an_answer_after_the_drop_counts_no_more(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1, 2)
        await refuse(buffer, 0)
        await buffer.requeue.replay("cloud", None)
        box = buffer.outbox("cloud")
        batch = Batch(await take(box))
        await buffer.requeue.drop("cloud", waiting=True, rejected=True)
        await box.settle(batch, Receipt([0]))
        facts = buffer.facts().destinations["cloud"]
        assert (facts.delivered, facts.lost, facts.rejected) == (1, 1, 0)


async def test_a_destination_that_left_the_file_can_be_forgotten(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, ("old",)) as buffer:
        await put(buffer, clock, 1, 2)
        await refuse(buffer, 1, name="old")
        await put(buffer, clock, 3)
    async with opened(tmp_path, clock, ("new",)) as buffer:
        backlog = (await buffer.views.backlogs())["old"]
        assert (backlog.configured, backlog.count.samples) == (False, 1)
        dropped = await buffer.requeue.drop("old", waiting=True, rejected=True)
        assert dropped.forgotten
        assert set(await buffer.views.backlogs()) == {"new"}
        with pytest.raises(NotFoundError):
            await buffer.requeue.drop("old", waiting=True, rejected=True)
        await put(buffer, clock, 4)
    async with opened(tmp_path, clock, ("old", "new")) as buffer:
        assert await take(buffer.outbox("old")) == []
        assert [line.count.samples for line in await buffer.views.lost()] == [2]


async def test_a_destination_with_nothing_left_can_be_forgotten_too(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, ("old",)):
        pass
    async with opened(tmp_path, clock, ()) as buffer:
        assert (await buffer.requeue.drop("old", waiting=True, rejected=True)).forgotten
    async with opened(tmp_path, clock, ()) as buffer:
        assert await buffer.views.backlogs() == {}


async def test_what_waits_is_read_in_order_and_stays(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock, ("a", "b")) as buffer:
        await put(buffer, clock, *range(3000))
        box = buffer.outbox("a")
        batch = Batch((await take(box, limits=Limits(records=10_000)))[:2000])
        await box.settle(batch, Receipt(range(0, 2000, 2)))
        read = [record async for record in buffer.views.waiting("a")]
        assert read == await take(box, limits=Limits(records=10_000))
        assert len([r async for r in buffer.views.waiting(None)]) == 3000
        with pytest.raises(NotFoundError):
            await anext(buffer.views.waiting("c"))


async def test_refused_samples_are_found_by_the_beginning_of_their_epoch(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1, 2)
        await refuse(buffer, 0, 1)
        epoch = buffer.facts().epoch
        assert (await buffer.requeue.replay("cloud", [("zz", 1)])).samples == 0
        assert (await buffer.requeue.replay("cloud", [(epoch[:8], 1)])).samples == 1
        assert [row.seq async for row in buffer.views.set_aside("cloud") if row.again] == [1]


async def test_what_is_refused_takes_a_tenth_of_the_quota_and_the_oldest_goes_by_the_ledger(
    tmp_path: Path, clock: HandClock
) -> None:
    small = replace(SITE, buffer_bytes=1 << 20)
    async with opened(tmp_path, clock, ("a", "b"), small) as buffer:
        await put(buffer, clock, *range(600))
        await refuse(buffer, *range(600), name="a")
        await buffer.requeue.replay("a", [("", 1)])
        await buffer.look_after()
        facts = buffer.facts().destinations["a"]
        assert (
            0 < facts.rejected <= small.buffer_bytes // 10 // 290
        )  # bytes of a row with a reading
        assert facts.rejected + facts.lost == 600
        assert facts.lost_by_reason == {"rejected_overflow": facts.lost}
        assert balanced(buffer)
        held = (await buffer.views.held())["a"]
        assert (held.count.readings, held.again) == (facts.rejected, 1)
        newest = await buffer.views.newest("a", 1, 0)
        assert newest[0].seq == 600
    async with opened(tmp_path, clock, ("a", "b"), small) as buffer:
        assert powers(await drain(buffer.outbox("a"))) == [0]


async def test_looks_commit_nothing_while_all_that_was_refused_is_on_its_way_out_again(
    tmp_path: Path, clock: HandClock
) -> None:
    """Each commit leads to a look where room is short: one that commits in vain would never end."""
    small = replace(SITE, buffer_bytes=1 << 20)
    async with opened(tmp_path, clock, site=small) as buffer:
        await put(buffer, clock, *range(600))
        await refuse(buffer, *range(600))
        await buffer.requeue.replay("cloud", None)
        await buffer.look_after()
        before = buffer.facts().commits
        for _ in range(10):
            await buffer.look_after()
        assert buffer.facts().commits == before
        assert buffer.facts().destinations["cloud"].rejected == 600
        await refuse(buffer, *range(600), reason="still too hot")
        clock.tick(61)
        await buffer.look_after()
        assert 0 < buffer.facts().destinations["cloud"].rejected < 600
        assert balanced(buffer)
