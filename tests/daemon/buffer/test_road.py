"""The straight road: in, committed, taken, settled, gone."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.cloud import Batch, Limits, Receipt, TimeQuality
from agent.daemon.buffer import Buffer, Lane
from agent.errors import BusyError, NotFoundError
from agent.sample import Sample, Value
from tests.daemon.buffer.parts import (
    SITE,
    WALL_NS,
    HandClock,
    drain,
    opened,
    powers,
    put,
    sample,
    take,
)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def test_what_was_put_can_be_taken_in_order(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1, 2.5, "three")
        records = await take(buffer.outbox("cloud"))
    assert powers(records) == [1, 2.5, "three"]
    assert [record.seq for record in records] == [1, 2, 3]
    assert {record.epoch for record in records} == {buffer.facts().epoch}
    assert [record.time_ns for record in records] == [
        WALL_NS + step * 100_000_000 for step in range(3)
    ]
    assert records[0].time is TimeQuality.EXACT


async def test_it_survives_a_clean_stop_byte_for_byte(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, *range(2000))
        before = await take(buffer.outbox("cloud"), limits=Limits(records=5000))
    async with opened(tmp_path, clock) as buffer:
        after = await take(buffer.outbox("cloud"), limits=Limits(records=5000))
    assert after == before
    assert len(after) == 2000


async def test_numbers_go_on_where_they_ended_even_when_nothing_is_left(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1, 2, 3)
        await drain(buffer.outbox("cloud"))
    async with opened(tmp_path, clock) as buffer:
        assert await take(buffer.outbox("cloud")) == []
        await put(buffer, clock, 4)
        records = await take(buffer.outbox("cloud"))
    assert [(record.seq, record.values["power"]) for record in records] == [(4, 4)]


async def test_a_number_within_neither_list_is_taken_again(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, *range(6))
        box = buffer.outbox("cloud")
        batch = Batch(await take(box))
        await box.settle(batch, Receipt(accepted=[0, 1, 4], refused={3: "no such sensor"}))
        assert powers(await take(box)) == [2, 5]
        facts = buffer.facts().destinations["cloud"]
    assert (facts.delivered, facts.rejected, facts.waiting) == (3, 1, 2)


async def test_receipts_survive_a_stop(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, *range(6))
        box = buffer.outbox("cloud")
        await box.settle(Batch(await take(box)), Receipt(accepted=[1, 2, 5]))
    async with opened(tmp_path, clock) as buffer:
        assert powers(await take(buffer.outbox("cloud"))) == [0, 3, 4]
        assert buffer.outbox("cloud").waiting().samples == 3


async def test_an_answer_given_twice_counts_once(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1, 2)
        box = buffer.outbox("cloud")
        batch = Batch(await take(box))
        await box.settle(batch, Receipt(accepted=[0]))
        await box.settle(batch, Receipt(accepted=[0, 1]))
        assert buffer.facts().destinations["cloud"].delivered == 2
        assert box.waiting().samples == 0


async def test_limits_bound_a_batch_but_a_giant_record_still_goes(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        giant = Sample("meter", clock.now(), {f"p{i}": i for i in range(50)})
        await buffer.put(giant)
        await put(buffer, clock, 1, 2, 3)
        box = buffer.outbox("cloud")
        first = await take(box, limits=Limits(readings=10))
        assert [len(record.values) for record in first] == [50]
        assert len(await take(box, limits=Limits(records=2))) == 2


async def test_urgent_live_and_backlog_are_lanes(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        await put(buffer, clock, 1, 2)
        box.mark_live()
        await put(buffer, clock, 3)
        await buffer.put(sample(clock, "fire", urgent=True))
        assert box.waiting().urgent == 1
        assert powers(await take(box, Lane.URGENT)) == ["fire"]
        await box.settle(Batch(await take(box, Lane.URGENT)), Receipt([0]))
        assert await take(box, Lane.URGENT) == []
        assert powers(await take(box, Lane.LIVE)) == [3]
        assert powers(await take(box, Lane.BACKLOG)) == [1, 2]


async def test_urgent_means_committed_when_put_returns(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        await buffer.put(sample(clock, 1))
        await buffer.put(sample(clock, 2, urgent=True))
        assert powers(await take(buffer.outbox("cloud"))) == [1, 2]
        assert buffer.facts().uncommitted_age_s == 0


async def test_an_ordinary_sample_is_committed_within_the_window(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        await buffer.put(sample(clock, 1))
        async with asyncio.timeout(20):
            await box.wait()
        assert powers(await take(box)) == [1]


async def test_waiting_ends_with_news_only(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        box = buffer.outbox("cloud")
        await put(buffer, clock, 1)
        await box.wait()
        await drain(box)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await box.wait()
        await put(buffer, clock, 2)
        await box.wait()


async def test_two_destinations_keep_what_either_still_needs(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, ("a", "b")) as buffer:
        await put(buffer, clock, *range(1000))
        await drain(buffer.outbox("a"))
    async with opened(tmp_path, clock, ("a", "b")) as buffer:
        assert await take(buffer.outbox("a")) == []
        assert len(await drain(buffer.outbox("b"))) == 1000


async def test_a_new_destination_starts_at_the_present_end(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, ("a",)) as buffer:
        await put(buffer, clock, 1, 2)
    async with opened(tmp_path, clock, ("a", "b")) as buffer:
        await put(buffer, clock, 3)
        assert powers(await take(buffer.outbox("b"))) == [3]
        assert buffer.facts().destinations["b"].accepted == 1
        with pytest.raises(NotFoundError, match="no destination 'c'"):
            buffer.outbox("c")


async def test_what_a_removed_destination_waits_for_stays(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock, ("a",)) as buffer:
        await put(buffer, clock, 1, 2)
    async with opened(tmp_path, clock, ("b",)) as buffer:
        await put(buffer, clock, 3)
        await drain(buffer.outbox("b"))
    async with opened(tmp_path, clock, ("a", "b")) as buffer:
        assert powers(await drain(buffer.outbox("a"))) == [1, 2, 3]


async def test_a_second_daemon_is_told_so(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock):
        with pytest.raises(BusyError, match="another fieldpost daemon"):
            async with opened(tmp_path, clock):
                pass


async def test_odd_values_come_back_as_they_were(tmp_path: Path, clock: HandClock) -> None:
    odd: list[Value] = [2**70, -(2**63), 1e300, 0.1, -0.0, "\ud800", "", "é", False]
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, *odd)
    async with opened(tmp_path, clock) as buffer:
        assert [repr(v) for v in powers(await take(buffer.outbox("cloud")))] == [*map(repr, odd)]


async def test_a_point_left_out_now_and_then_costs_no_shape_of_its_own(
    tmp_path: Path, clock: HandClock
) -> None:
    points = [f"p{i}" for i in range(8)]
    async with opened(tmp_path, clock) as buffer:
        sent = []
        for mask in range(1, 256):
            values = {p: mask for i, p in enumerate(points) if mask >> i & 1}
            sent.append(values)
            await buffer.put(Sample("meter", clock.now(), values))
        await buffer.flush()
    async with opened(tmp_path, clock) as buffer:
        assert [dict(r.values) for r in await take(buffer.outbox("cloud"))] == sent
    with closing(sqlite3.connect(tmp_path / "buffer" / "buffer.db")) as db:
        assert db.execute("select count(*) from shape where id > 0").fetchone()[0] <= len(points)


async def test_a_fresh_store_is_made_by_a_child(tmp_path: Path, clock: HandClock) -> None:
    buffer = Buffer(tmp_path, SITE, clock, ["cloud"])
    await buffer.open()
    await put(buffer, clock, 1)
    await buffer.close()
    assert (tmp_path / "buffer" / "buffer.db").exists()
