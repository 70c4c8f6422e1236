"""Room is made while samples are on their way: what counts as lost is not delivered as well."""

import asyncio
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cloud import Batch, Limits, Receipt
from agent.daemon.buffer import Buffer, DestinationFacts, Lane, Outbox
from agent.daemon.buffer.database import PAGE_BYTES, Database, Frame
from agent.daemon.buffer.giving_up import missing
from agent.daemon.buffer.model import Count, Cursor
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.ranges import Settled
from agent.daemon.buffer.stock import Stock
from agent.daemon.buffer.store import Store
from agent.sample import Sample, Value
from tests.daemon.buffer.parts import SITE, HandClock, balanced, made, opened

TIGHT = Frame(pages=90, window_ms=1000, ballast_bytes=0, hardware=bytes(8))
FILLED_BYTES = 0.85 * TIGHT.pages * PAGE_BYTES
POINTS = 10
SHELVED = 2000  # samples of so many points that are served from RAM


class Refusing:
    """A disk that takes no commit while it is told so."""

    def __init__(self) -> None:
        self.now = False

    def build(self) -> Build:
        disk = self

        class Disk(Database):
            def execute(self, sql: str, values: Iterable[object] = ()) -> sqlite3.Cursor:
                if disk.now and sql == "commit":
                    message = "disk I/O error"
                    raise sqlite3.OperationalError(message)
                return super().execute(sql, values)

        return Build(made, frame=TIGHT, store=lambda home, frame: Store(home, frame, Disk))


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def facts(buffer: Buffer) -> DestinationFacts:
    return buffer.facts().destinations["cloud"]


async def put(buffer: Buffer, clock: HandClock, samples: int, points: int = 2) -> None:
    """Samples nobody can pack well, half a second apart."""
    for number in range(samples):
        values: dict[str, Value] = {
            f"p{place}": (number * 7919 + place * 104729) % 1_000_003 / 7 for place in range(points)
        }
        await buffer.put(Sample("meter", clock.now(), values))
        clock.tick(0.5)
        if number % 5 == 0:
            await buffer.flush()
    await buffer.flush()


async def until_thinned(buffer: Buffer, clock: HandClock) -> None:
    while not facts(buffer).lost:
        await put(buffer, clock, 100)
        await buffer.look_after()
    await buffer.flush()


async def settle(outbox: Outbox, batch: Batch) -> int:
    """Everything in it is accepted; returns how many readings that were."""
    await outbox.settle(batch, Receipt(range(len(batch.records))))
    return sum(len(record.values) for record in batch.records)


async def drained(outbox: Outbox) -> int:
    """Until nothing is left; returns how many readings were delivered."""
    delivered = 0
    while batch := await outbox.take(Limits(), Lane.ANY):
        delivered += await settle(outbox, batch)
    return delivered


async def judge(buffer: Buffer, delivered: int, reason: str = "thinned") -> None:
    """Every reading was delivered or is in the ledger, none was both."""
    await buffer.flush()
    told = facts(buffer)
    assert balanced(buffer)
    assert (told.delivered, told.waiting) == (delivered, 0)
    assert told.lost == told.accepted - delivered > 0
    assert told.lost_by_reason == {reason: told.lost}


async def test_what_was_thinned_out_is_not_delivered_from_ram(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, build=Build(made, frame=TIGHT)) as buffer:
        await until_thinned(buffer, clock)
        await judge(buffer, await drained(buffer.outbox("cloud")))


async def test_what_is_on_its_way_is_not_thinned_out(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock, build=Build(made, frame=TIGHT)) as buffer:
        outbox = buffer.outbox("cloud")
        await put(buffer, clock, 2000)
        batch = await outbox.take(Limits(), Lane.ANY)
        assert batch
        await until_thinned(buffer, clock)
        delivered = await settle(outbox, batch)
        await judge(buffer, delivered + await drained(outbox))


async def test_what_is_on_its_way_is_not_dropped(tmp_path: Path, clock: HandClock) -> None:
    site = replace(SITE, when_full="drop-oldest")
    async with opened(tmp_path, clock, build=Build(made, frame=TIGHT), site=site) as buffer:
        outbox = buffer.outbox("cloud")
        await put(buffer, clock, 2000)
        batch = await outbox.take(Limits(), Lane.ANY)
        assert batch
        await until_thinned(buffer, clock)
        delivered = await settle(outbox, batch)
        await judge(buffer, delivered + await drained(outbox), "dropped")


async def test_what_is_on_its_way_does_not_expire(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        outbox = buffer.outbox("cloud")
        outbox.keep(3600.0)
        await put(buffer, clock, 2000)
        batch = await outbox.take(Limits(records=100), Lane.ANY)
        assert batch
        clock.tick(7200)
        await put(buffer, clock, 10)
        await buffer.look_after()
        assert facts(buffer).lost
        delivered = await settle(outbox, batch)
        await judge(buffer, delivered + await drained(outbox), "expired")


async def test_what_is_read_while_it_is_thinned_out_is_not_delivered(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, build=Build(made, frame=TIGHT)) as buffer:
        outbox = buffer.outbox("cloud")
        await put(buffer, clock, SHELVED + 1000, POINTS)
        while buffer.facts().used_bytes < FILLED_BYTES:
            await put(buffer, clock, 100, POINTS)
        async with asyncio.TaskGroup() as group:
            group.create_task(buffer.look_after(), name="look after")
            taking = group.create_task(outbox.take(Limits(), Lane.ANY), name="take")
        assert facts(buffer).lost
        batch = taking.result()
        delivered = await settle(outbox, batch) if batch else 0
        await judge(buffer, delivered + await drained(outbox))


async def test_no_room_is_made_on_a_disk_that_refuses(tmp_path: Path, clock: HandClock) -> None:
    refusing = Refusing()
    async with opened(tmp_path, clock, build=refusing.build()) as buffer:
        while buffer.facts().used_bytes < FILLED_BYTES:
            await put(buffer, clock, 100)
        refusing.now = True
        await put(buffer, clock, 1)
        assert buffer.facts().broken
        await buffer.look_after()
        assert facts(buffer).lost == 0
        refusing.now = False
        clock.tick(61)
        await put(buffer, clock, 1)
        assert buffer.facts().broken is None
        await buffer.look_after()
        delivered = await drained(buffer.outbox("cloud"))
        await judge(buffer, delivered)


@pytest.mark.parametrize("delivered", [Count(3, 1), Count(1, 3), Count(3, 3)])
def test_less_than_nothing_is_never_lost(clock: HandClock, delivered: Count) -> None:
    stock = Stock(clock, accepted=Count(2, 2))
    cursor = Cursor("cloud", Settled(2), Count(), delivered=delivered)
    assert missing(stock, cursor) is None
    assert cursor.lost == Count()
