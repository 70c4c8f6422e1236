"""A flipped bit in what was refused or lost is never believed, and salvage brings both along."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.cloud import Receipt
from agent.daemon.buffer import Buffer
from tests.daemon.buffer.parts import (
    HandClock,
    balanced,
    batch_of,
    drain,
    opened,
    powers,
    put,
    take,
)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def changed(folder: Path, statement: str) -> None:
    """Behind the daemon's back, while it is stopped."""
    with closing(sqlite3.connect(folder / "buffer" / "buffer.db")) as db, db:
        assert db.execute(statement).rowcount == 1


async def refuse(buffer: Buffer, clock: HandClock, *values: int) -> None:
    box = buffer.outbox("cloud")
    await put(buffer, clock, *values)
    records = await take(box)
    answer = Receipt(refused=dict.fromkeys(range(len(records)), "too hot"))
    await box.settle(batch_of(records), answer)
    await buffer.views.settle()


async def drop(buffer: Buffer, clock: HandClock, *values: int) -> None:
    await put(buffer, clock, *values)
    await buffer.requeue.drop("cloud", waiting=True, rejected=False)


async def test_a_refused_sample_with_a_flipped_bit_is_not_sent_again(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await refuse(buffer, clock, 230, 231)
    changed(tmp_path, "update rejected set body = replace(body, ': 230', ': 238') where seq = 1")
    async with opened(tmp_path, clock) as buffer:
        shown = await buffer.views.newest("cloud", 10, 0)
        assert [row.record is None for row in shown] == [False, True]
        await buffer.requeue.replay("cloud", None)
        assert powers(await drain(buffer.outbox("cloud"))) == [231]
        assert balanced(buffer)


async def test_a_ledger_line_with_a_flipped_bit_is_not_believed(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await drop(buffer, clock, 1, 2)
        [line] = await buffer.views.lost()
        assert line.count.readings == 2
    changed(tmp_path, "update loss set readings = 65538")
    async with opened(tmp_path, clock) as buffer:
        assert await buffer.views.lost() == []
        assert await buffer.views.untold([], 10) == []
        assert buffer.facts().destinations["cloud"].lost == 2


async def wrecked(folder: Path, clock: HandClock) -> Path:
    """A store that was not closed, with a damaged chunk; a copy of the one that ran."""
    running, home = folder / "running", folder / "stopped"
    async with opened(running, clock, ["cloud", "gone"]) as buffer:
        await refuse(buffer, clock, 1, 2, 3)
        await drop(buffer, clock, 4)
        await put(buffer, clock, 5)
        await drop(buffer, clock, 6)
        await buffer.views.told(await buffer.views.untold([], 10))
        await put(buffer, clock, 7)
        shutil.copytree(running, home)
    changed(home, "update chunk set crc = crc + 1 where seq = 5")
    return home


async def test_what_was_refused_comes_along_from_a_damaged_store(
    tmp_path: Path, clock: HandClock
) -> None:
    home = await wrecked(tmp_path, clock)
    async with opened(home, clock) as buffer:
        assert await take(buffer.outbox("cloud")) == []
        await buffer.salvage()
        assert balanced(buffer)
        assert buffer.facts().destinations["cloud"].rejected == 3
        assert (await buffer.views.held())["cloud"].count.readings == 3
        await buffer.requeue.replay("cloud", None)
        assert sorted(powers(await drain(buffer.outbox("cloud")))) == [1, 2, 3, 7]
        assert balanced(buffer)


async def test_the_ledger_comes_along_and_only_what_is_new_in_it_is_told(
    tmp_path: Path, clock: HandClock
) -> None:
    home = await wrecked(tmp_path, clock)
    async with opened(home, clock) as buffer:
        await buffer.salvage()
        known = [line for line in await buffer.views.lost() if line.destination == "cloud"]
        assert ("dropped_by_operator", 3) in {(x.reason, x.count.readings) for x in known}
        untold = [loss for _, loss in await buffer.views.untold(["gone"], 10)]
        assert [loss.reason for loss in untold] == ["unclean_stop"]


async def test_what_waits_for_a_destination_that_is_not_configured_comes_along_too(
    tmp_path: Path, clock: HandClock
) -> None:
    home = await wrecked(tmp_path, clock)
    async with opened(home, clock) as buffer:
        await buffer.salvage()
        dropped = await buffer.requeue.drop("gone", waiting=True, rejected=True)
        assert (dropped.waiting.readings, dropped.forgotten) == (6, True)
