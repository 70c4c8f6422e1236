"""Fault 18: the disk refuses: samples live in RAM, are delivered from there, and go back to it."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from agent.cloud import Batch, Receipt
from agent.daemon.buffer import Lane
from agent.daemon.buffer.database import Database
from agent.daemon.buffer.opening import Build, frame_of
from agent.daemon.buffer.orders import Done, Order
from agent.daemon.buffer.ram import RING_BYTES
from agent.daemon.buffer.store import Store
from agent.daemon.buffer.trouble import BrokenError
from agent.sample import Sample
from tests.daemon.buffer.parts import (
    SITE,
    HandClock,
    balanced,
    drain,
    made,
    opened,
    powers,
    put,
    sample,
    take,
)
from tests.lab.loopfs import LoopFs


class RefusingStore(Store):
    """A store on a disk that refuses when a test says so."""

    refuses: ClassVar[bool] = False

    def _write(self, order: Order) -> Done:
        self._fail()
        return super()._write(order)

    def _reopen(self) -> None:
        super()._reopen()
        if RefusingStore.refuses:
            message = "disk I/O error"
            raise BrokenError(message)

    def _fail(self) -> None:
        if RefusingStore.refuses:
            message = "disk I/O error"
            raise sqlite3.OperationalError(message)


REFUSING = Build(made, store=RefusingStore)


@pytest.fixture(autouse=True)
def answering() -> Iterator[None]:
    RefusingStore.refuses = False
    yield
    RefusingStore.refuses = False


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def test_everything_is_delivered_once_and_the_disk_gets_it_back(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, build=REFUSING) as buffer:
        box = buffer.outbox("cloud")
        await put(buffer, clock, 1, 2, 3)
        RefusingStore.refuses = True
        await put(buffer, clock, 4, 5)  # nobody knows whether these arrived
        await put(buffer, clock, 6)
        await put(buffer, clock, 7)
        assert buffer.facts().broken
        records = await take(box)
        assert powers(records) in ([1, 2, 3], [1, 2, 3, 6, 7])
        delivered = await drain(box)
        assert powers(delivered) == [1, 2, 3, 6, 7]
        RefusingStore.refuses = False
        clock.tick(61)
        await put(buffer, clock, 8)
        assert buffer.facts().broken is None
        delivered += await drain(box)
        assert powers(delivered) == [1, 2, 3, 6, 7, 4, 5, 8]
        assert len({(r.epoch, r.seq) for r in delivered}) == 8
        facts = buffer.facts().destinations["cloud"]
        assert (facts.delivered, facts.waiting, facts.lost) == (8, 0, 0)


class SilentStore(Store):
    """Says nothing of what the disk refused."""

    def commit(self, order: Order) -> Done:
        return replace(super().commit(order), broken=None)


async def under_a_running_store(kind: type[Store]) -> list[str]:
    """What is wrong after the kernel made the file system read-only, and a person mended it."""
    clock, wrong = HandClock(), []
    site = replace(SITE, buffer_bytes=8 << 20)
    with LoopFs("48M", options="noatime,errors=remount-ro") as fs:
        folder = fs.path / "store"
        async with opened(folder, clock, site=site, build=Build(made, store=kind)) as buffer:
            await put(buffer, clock, 1, 2, 3)
            fs.go_read_only()
            await put(buffer, clock, 4)
            for number in range(5, 9):
                await put(buffer, clock, number)
            delivered = powers(await drain(buffer.outbox("cloud")))
            if buffer.facts().broken is None:
                wrong.append("I9: nothing is said")
            if not {6, 7, 8} <= {*delivered}:
                wrong.append(f"I7: delivered from RAM was {delivered}")
        fs.remount()
        async with opened(folder, clock, site=site) as buffer:
            await buffer.salvage()
            await put(buffer, clock, 9)
            again = powers(await drain(buffer.outbox("cloud")))
            counted = buffer.facts().destinations["cloud"].lost_by_reason.get("unclean_stop", 0)
            if 9 not in again or buffer.facts().broken:
                wrong.append(f"I7: {again} after the mend")
            if missing := {*range(1, 10)} - {*delivered, *again}:
                wrong += [f"I1: {missing} uncounted"] if len(missing) > counted else []
    return wrong


@pytest.mark.slow
@pytest.mark.usefixtures("loop_devices", "ram_for_exile")
@pytest.mark.parametrize("kind", [Store, SilentStore])
async def test_a_file_system_that_becomes_read_only_stops_neither_samples_nor_deliveries(
    kind: type[Store],
) -> None:
    assert bool(await under_a_running_store(kind)) is (kind is SilentStore)


async def test_what_was_not_delivered_from_ram_is_on_the_disk_afterwards(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, build=REFUSING) as buffer:
        await put(buffer, clock, 1)
        RefusingStore.refuses = True
        await put(buffer, clock, 2)
        await put(buffer, clock, 3, 4)
        RefusingStore.refuses = False
        clock.tick(61)
        await put(buffer, clock, 5)
        before = await take(buffer.outbox("cloud"))
    async with opened(tmp_path, clock) as buffer:
        assert await take(buffer.outbox("cloud")) == before
    assert powers(before) == [1, 2, 3, 4, 5]
    assert len({r.epoch for r in before}) == 2


async def test_receipts_of_that_time_are_kept(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock, build=REFUSING) as buffer:
        box = buffer.outbox("cloud")
        await put(buffer, clock, 1)
        RefusingStore.refuses = True
        await put(buffer, clock, 2)
        await put(buffer, clock, 3, 4)
        batch = Batch(await take(box, Lane.BACKLOG) or await take(box))
        await box.settle(batch, Receipt(range(len(batch.records))))
        while more := await take(box):
            await box.settle(Batch(more), Receipt(range(len(more))))
        RefusingStore.refuses = False
        clock.tick(61)
        await put(buffer, clock, 5)
    async with opened(tmp_path, clock) as buffer:
        assert powers(await take(buffer.outbox("cloud"))) == [2, 5]


async def test_the_ring_is_bounded_and_alarms_leave_last(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock, build=REFUSING) as buffer:
        await put(buffer, clock, 0)
        RefusingStore.refuses = True
        await put(buffer, clock, 1)
        await buffer.put(sample(clock, "fire", urgent=True))
        text = "x" * (RING_BYTES // 40)
        for number in range(80):
            await buffer.put(Sample("meter", clock.now(), {"text": text, "power": number}))
            clock.tick(1)
            await buffer.flush()
        records = await drain(buffer.outbox("cloud"))
        facts = buffer.facts().destinations["cloud"]
    assert "fire" in powers(records)
    assert 30 < len(records) < 45
    assert facts.lost_by_reason["ram_overflow"] == facts.lost > 0
    assert facts.accepted == facts.delivered + facts.lost + facts.waiting


async def test_a_stop_while_the_disk_refuses_keeps_what_it_had(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, build=REFUSING) as buffer:
        await put(buffer, clock, 1, 2)
        RefusingStore.refuses = True
        await put(buffer, clock, 3)
        await put(buffer, clock, 4)
    RefusingStore.refuses = False
    async with opened(tmp_path, clock) as buffer:
        assert powers(await take(buffer.outbox("cloud"))) == [1, 2]
        assert buffer.facts().destinations["cloud"].lost_by_reason == {"ram_lost": 2}


async def test_the_quota_is_no_reason_for_ram(tmp_path: Path, clock: HandClock) -> None:
    frame = replace(frame_of(SITE), pages=64)
    build = Build(made, frame)
    async with opened(tmp_path, clock, build=build) as buffer:
        for number in range(3000):
            values = {f"p{n}": (number * 31 + n * 7919) % 10_007 / 3 for n in range(20)}
            await buffer.put(Sample("meter", clock.now(), values))
            clock.tick(1)
            if number % 20 == 0:
                await buffer.flush()
                await buffer.look_after()
        await buffer.flush()
        facts = buffer.facts()
    assert facts.broken is None
    assert facts.destinations["cloud"].lost > 0
    assert facts.used_bytes <= 64 * 4096 + frame.ballast_bytes


class NoCommit(Database):
    """Everything works but the end of a transaction, while a test says so."""

    refuses: ClassVar[bool] = False

    def execute(self, sql: str, values: Iterable[object] = ()) -> sqlite3.Cursor:
        if sql == "commit" and NoCommit.refuses:
            message = "disk I/O error"
            raise sqlite3.OperationalError(message)
        return super().execute(sql, values)


async def test_what_was_given_up_meanwhile_is_in_the_ledger_once_however_often_it_is_tried(
    tmp_path: Path, clock: HandClock
) -> None:
    build = Build(made, store=lambda home, frame: Store(home, frame, NoCommit))
    async with opened(tmp_path, clock, build=build) as buffer:
        buffer.outbox("cloud").keep(10.0)
        await put(buffer, clock, 1, 2)
        NoCommit.refuses = True
        await put(buffer, clock, 3)
        clock.tick(20)
        await buffer.look_after()
        for _ in range(3):
            clock.tick(61)
            await put(buffer, clock, 4)
        NoCommit.refuses = False
        clock.tick(61)
        await put(buffer, clock, 5)
        assert buffer.facts().broken is None
        [line] = await buffer.views.lost()
        assert line.count.readings == buffer.facts().destinations["cloud"].lost > 0
        assert balanced(buffer)
