"""Salvage while the disk errs in the middle of a commit: whether that arrived, nobody knows."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest

from agent.daemon.buffer import Buffer
from agent.daemon.buffer.database import Database, Frame
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.orders import Done, Order
from agent.daemon.buffer.store import Store
from tests.daemon.buffer.parts import (
    HandClock,
    balanced,
    drain,
    made,
    opened,
    powers,
    put,
    salvaged_here,
    set_aside,
)


class Disk:
    """Refuses from the end of one commit on.

    Attributes:
        fails: what the order holds whose commit fails, once.
        arrives: it is on the disk though the disk erred.
    """

    def __init__(self, fails: str, *, arrives: bool) -> None:
        self.fails = fails
        self.arrives = arrives
        self.due = self.refuses = False

    def build(self) -> Build:
        disk = self

        class Moody(Database):
            def execute(self, sql: str, values: Iterable[object] = ()) -> sqlite3.Cursor:
                if disk.refuses and sql.startswith("begin"):
                    raise _error()
                if disk.due and sql == "commit":
                    disk.due, disk.refuses = False, True
                    if disk.arrives:
                        super().execute(sql, values)
                    raise _error()
                return super().execute(sql, values)

        class Watched(Store):
            def commit(self, order: Order) -> Done:
                if disk.fails and getattr(order, disk.fails):
                    disk.fails, disk.due = "", True
                return super().commit(order)

        def store(home: Path, frame: Frame) -> Store:
            return Watched(home, frame, Moody)

        return Build(made, store=store, salvage=salvaged_here)


def _error() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR_FSYNC, "IOERR_FSYNC"
    return error


@pytest.mark.parametrize("arrives", [False, True], ids=["lost", "arrived"])
@pytest.mark.parametrize("fails", ["wreckage", "rescued"])
async def test_what_was_salvaged_is_owed_once_whatever_became_of_the_commit(
    tmp_path: Path, fails: str, *, arrives: bool
) -> None:
    clock, home, disk = HandClock(), tmp_path / "home", Disk(fails, arrives=arrives)
    card = tmp_path / "card"
    await set_aside(home, clock, home, *range(30))
    async with opened(home, clock, build=disk.build()) as buffer:
        await put(buffer, clock, 1000)
        async with asyncio.TaskGroup() as group:
            group.create_task(buffer.salvage(), name="salvage")
            while not disk.refuses:
                await asyncio.sleep(0.01)
            await put(buffer, clock, 1001, 1002)
            await buffer.views.settle()
            assert buffer.facts().broken
            disk.refuses = False
            clock.tick(61)
            await put(buffer, clock, 1003)
            assert buffer.facts().broken is None
        shutil.copytree(home, card)  # as a power cut leaves it
        await everything_is_had_once(buffer)
    async with opened(card, clock, build=Build(made, salvage=salvaged_here)) as buffer:
        await buffer.salvage()
        await everything_is_had_once(buffer)


async def everything_is_had_once(buffer: Buffer) -> None:
    records = await drain(buffer.outbox("cloud"))
    assert sorted(map(int, powers(records))) == [*range(30), *range(1000, 1004)]
    assert len({(record.epoch, record.seq) for record in records}) == len(records)
    cloud = buffer.facts().destinations["cloud"]
    assert (cloud.delivered, cloud.lost, cloud.waiting) == (len(records), 0, 0)
    assert balanced(buffer)
