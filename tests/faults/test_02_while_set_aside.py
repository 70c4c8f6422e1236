"""Fault 2, continued: a cut while a damaged store is put aside and a new one takes its place."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.cloud import Record
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.salvage import lines
from agent.plan import Json
from tests.daemon.buffer.parts import HandClock, drain, made, opened, put
from tests.lab.campaign import again
from tests.lab.crashes import Disk, State, scratch, states
from tests.lab.plant import FRAME, Told, values_of

OLD = 40


async def salvaged_here(place: Path, after: int) -> AsyncIterator[Json]:
    """Without a child: there are hundreds of states."""
    for line in lines(place, after):
        yield json.loads(line)


BUILD = Build(made, FRAME, salvage=salvaged_here)


async def damaged() -> tuple[State, str]:
    """A store with samples nobody has answered for, which lacks a table; and its epoch."""
    with scratch() as folder:
        clock = HandClock()
        async with opened(folder, clock, build=BUILD) as buffer:
            for number in range(OLD):
                await put(buffer, clock, number)
            epoch = buffer.facts().epoch
        with closing(sqlite3.connect(folder / "buffer" / "buffer.db")) as db:
            db.execute("drop table loss")
        files = {
            str(file.relative_to(folder)): file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file()
        }
        return State(files, (), "damaged"), epoch


async def delivered(folder: Path) -> list[Record]:
    """Everything a start finds there, old and new."""
    async with opened(folder, HandClock(mono_ns=10**15), build=BUILD) as buffer:
        await buffer.salvage()
        await buffer.salvage()  # what a cut left half done is done again, and harms nothing
        return await drain(buffer.outbox("cloud"))


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_neither_the_old_store_nor_the_new_one_loses_anything() -> None:
    start, epoch = await damaged()
    ops = await asyncio.get_running_loop().run_in_executor(
        None, again, start, "--steps", "4", "--since", "900"
    )
    disk = Disk()
    disk.hold(start.files)
    judged = 0
    for state in states(ops, disk, seed=2, per_step=3):
        with state.on_disk() as folder:
            records = await delivered(folder)
        old = [record for record in records if record.epoch == epoch]
        assert sorted(r.seq for r in old) == [*range(1, OLD + 1)], state.where
        assert all(r.values == {"power": r.seq - 1} for r in old), state.where
        new = {r.seq: dict(r.values) for r in records if r.epoch != epoch}
        told = Told.of(state.said)
        missing = set(range(1, told.committed + 1)) - set(new)
        assert all(number in told.answered for number in missing), state.where
        assert all(values_of(number) == values for number, values in new.items()), state.where
        judged += 1
    assert judged > 100
