"""Salvage where other things go wrong, too: a disk that refuses, a name that comes again."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from agent.cloud import Limits, Receipt
from agent.daemon.buffer import Lane, Loss
from agent.daemon.buffer.database import Database, Frame
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.salvage import lines
from agent.daemon.buffer.store import Store
from agent.plan import Json
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
from tests.lab.needs import ram_for_exile

__all__ = ["ram_for_exile"]


class Disk:
    """What the database of a test lies on.

    Attributes:
        refuses: nothing is written.
        dead: what lies there cannot even be opened.
    """

    def __init__(self) -> None:
        self.refuses = False
        self.dead: Path | None = None

    def build(self) -> Build:
        disk = self

        class Moody(Database):
            def execute(self, sql: str, values: Iterable[object] = ()) -> sqlite3.Cursor:
                if disk.refuses and sql.startswith("begin"):
                    raise _error()
                return super().execute(sql, values)

            def open(self, *, again: bool = False) -> None:
                if disk.dead in self._file.parents:
                    raise _error()
                super().open(again=again)

        def store(home: Path, frame: Frame) -> Store:
            return Store(home, frame, Moody)

        return Build(made, store=store, salvage=salvaged_here)


def _error() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR_FSYNC, "IOERR_FSYNC"
    return error


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def dies_at_the_end(place: Path, after: int) -> AsyncIterator[Json]:
    """As a child that something ends, again and again."""
    async for line in salvaged_here(place, after):
        if line["kind"] != "end":
            yield line


async def test_another_store_under_the_name_of_an_unfinished_one_has_a_block_of_its_own(
    tmp_path: Path, clock: HandClock
) -> None:
    """As when a person empties the quarantine, or the RAM of a gateway is used twice."""
    home = tmp_path / "home"
    await set_aside(home, clock, home, *range(10))
    async with opened(home, clock, build=Build(made, salvage=dies_at_the_end)) as buffer:
        await buffer.salvage()
        await drain(buffer.outbox("cloud"))
        await put(buffer, clock, *range(1000, 1030))
    shutil.rmtree(home / "quarantine")
    await set_aside(tmp_path / "other", clock, home, *range(5000, 5040))
    async with opened(home, clock, build=Build(made, salvage=salvaged_here)) as buffer:
        await buffer.salvage()
        delivered = powers(await drain(buffer.outbox("cloud")))
        assert sorted(map(int, delivered)) == [*range(1000, 1030), *range(5000, 5040)]
        assert balanced(buffer)


async def dies_at_once(place: Path, after: int) -> AsyncIterator[Json]:
    """As a child that something ends before it has read a line."""
    for line in islice(lines(place, after), 0):
        yield json.loads(line)


@pytest.mark.parametrize("witnessed", [True, False])
async def test_a_store_that_has_to_make_room_before_it_was_salvaged_is_in_the_ledger(
    tmp_path: Path, clock: HandClock, *, witnessed: bool
) -> None:
    for number, other in enumerate(("a", "b"), start=1):
        await set_aside(tmp_path / other, clock, tmp_path / other, *range(100 * number))
        shutil.copytree(
            tmp_path / other / "quarantine" / "0001", tmp_path / "quarantine" / f"000{number}"
        )
    if not witnessed:
        (tmp_path / "quarantine" / "0001" / "witness").unlink()
    small = replace(SITE, buffer_bytes=64 * 4096)
    build = Build(made, salvage=dies_at_once)
    async with opened(tmp_path, clock, site=small, build=build) as buffer:
        await buffer.salvage()
        assert [place.name for place in (tmp_path / "quarantine").iterdir()] == ["0002"]
        lost = buffer.facts().destinations["cloud"].lost_by_reason
        assert lost.keys() == {Loss.CORRUPTION}
        assert lost[Loss.CORRUPTION] == 100 if witnessed else lost[Loss.CORRUPTION] > 100
    async with opened(tmp_path, clock, build=Build(made, salvage=salvaged_here)) as buffer:
        await buffer.salvage()
        assert sorted(map(int, powers(await drain(buffer.outbox("cloud"))))) == [*range(200)]
        assert buffer.facts().destinations["cloud"].lost_by_reason == lost


@pytest.mark.parametrize("dead", [False, True])
async def test_salvage_waits_for_a_disk_that_refuses(
    tmp_path: Path, clock: HandClock, *, dead: bool
) -> None:
    home, disk = tmp_path / "home", Disk()
    await set_aside(home, clock, home, *range(40))
    async with opened(home, clock, build=disk.build()) as buffer:
        disk.refuses, disk.dead = True, home if dead else None
        await put(buffer, clock, 1000)
        assert buffer.facts().broken
        async with asyncio.TaskGroup() as group:
            salvage = group.create_task(buffer.salvage(), name="salvage")
            await asyncio.sleep(0.1)
            assert not salvage.done()
            disk.refuses, disk.dead = False, None
            clock.tick(61)
            await put(buffer, clock, 1001)
            assert buffer.facts().broken is None
        delivered = powers(await drain(buffer.outbox("cloud")))
        assert sorted(map(int, delivered)) == [*range(40), 1000, 1001]
        assert balanced(buffer)


async def test_samples_that_come_while_a_block_is_set_aside_hide_nothing_of_it(
    tmp_path: Path, clock: HandClock
) -> None:
    await set_aside(tmp_path, clock, tmp_path, *range(10))
    site = replace(SITE, may_lose_s=60.0)
    build = Build(made, salvage=salvaged_here)
    async with opened(tmp_path, clock, site=site, build=build) as buffer:
        await buffer.put(sample(clock, 1000))
        await buffer.salvage()
        await put(buffer, clock, 1001)
        delivered = powers(await drain(buffer.outbox("cloud")))
        assert sorted(map(int, delivered)) == [*range(10), 1000, 1001]
        assert balanced(buffer)


async def test_what_comes_back_to_numbers_that_were_found_empty_is_delivered_all_the_same(
    tmp_path: Path, clock: HandClock
) -> None:
    home, headed, gate = tmp_path / "home", asyncio.Event(), asyncio.Event()
    await set_aside(home, clock, home, *range(30))

    async def slow(place: Path, after: int) -> AsyncIterator[Json]:
        async for line in salvaged_here(place, after):
            if line["kind"] != "head":
                headed.set()
                await gate.wait()
            yield line

    async with opened(home, clock, build=Build(made, salvage=slow)) as buffer:
        outbox = buffer.outbox("cloud")
        await put(buffer, clock, *range(100, 110))
        async with asyncio.TaskGroup() as group:
            group.create_task(buffer.salvage(), name="salvage")
            await headed.wait()
            await put(buffer, clock, *range(110, 120))
            outbox.mark_live()
            batch = await outbox.take(Limits(), Lane.BACKLOG)  # over the block that is empty yet
            gate.set()
        assert batch
        await outbox.settle(batch, Receipt(range(len(batch.records))))
        delivered = [*powers(batch.records), *powers(await drain(outbox))]
        assert sorted(map(int, delivered)) == [*range(30), *range(100, 120)]
        assert balanced(buffer)


async def test_a_damaged_store_in_ram_is_put_aside_like_one_on_the_disk(
    tmp_path: Path, clock: HandClock, ram_for_exile: Path
) -> None:
    home, disk = tmp_path / "home", Disk()
    async with opened(home, clock, build=disk.build()) as buffer:
        await put(buffer, clock, 1)
    disk.dead = home
    async with opened(home, clock, build=disk.build()) as buffer:
        await put(buffer, clock, 2)
    [exile] = stores_in(ram_for_exile)
    damage(exile)
    async with opened(home, clock, build=disk.build()) as buffer:
        await put(buffer, clock, 3)
    disk.dead = None
    async with opened(home, clock, build=disk.build()) as buffer:
        await buffer.salvage()
        delivered = powers(await drain(buffer.outbox("cloud")))
        assert sorted(map(int, delivered)) == [1, 2, 3]
        assert balanced(buffer)
    assert not stores_in(ram_for_exile)


async def test_a_damaged_store_beside_a_newer_one_waits_until_that_one_is_understood(
    tmp_path: Path, clock: HandClock
) -> None:
    build = Build(made, salvage=salvaged_here)
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1)
    ours = becomes_format(tmp_path, 99)
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 2)
    damage(tmp_path / "beside")
    async with opened(tmp_path, clock, build=build) as buffer:
        await put(buffer, clock, 3)
    becomes_format(tmp_path, ours)
    async with opened(tmp_path, clock, build=build) as buffer:
        await buffer.salvage()
        delivered = powers(await drain(buffer.outbox("cloud")))
        assert sorted(map(int, delivered)) == [1, 2, 3]
        assert balanced(buffer)


def stores_in(ram: Path) -> list[Path]:
    return [*ram.iterdir()]


def becomes_format(home: Path, number: int) -> int:
    """Returns which it had before."""
    with closing(sqlite3.connect(home / "buffer" / "buffer.db")) as db:
        [(before,)] = db.execute("pragma user_version")
        db.execute(f"pragma user_version = {number}")
    return int(before)


def damage(home: Path) -> None:
    """It lacks a table."""
    with closing(sqlite3.connect(home / "buffer" / "buffer.db")) as db:
        db.execute("drop table loss")
