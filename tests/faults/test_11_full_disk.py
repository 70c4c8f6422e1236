"""Faults 11, 14 and 18: the file system is full, has no inodes left, or becomes read-only."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.daemon.buffer import Buffer
from agent.daemon.buffer.database import Database
from agent.daemon.buffer.opening import Build, frame_of
from agent.sample import Sample
from tests.daemon.buffer.parts import SITE, HandClock, drain, made, opened, powers, put, take
from tests.faults.loose import Rollback, built
from tests.lab.loopfs import LoopFs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(60),
    pytest.mark.usefixtures("loop_devices", "ram_for_exile"),
]

SMALL = replace(SITE, buffer_bytes=8 << 20)  # with a ballast of 1 MB


async def busy(buffer: Buffer, clock: HandClock, commits: int, start: int = 0) -> None:
    """Samples that take room, a commit a second."""
    for number in range(start, start + commits):
        values = {f"p{place}": (number * 7919 + place * 31) % 1_000_003 / 7 for place in range(300)}
        await buffer.put(Sample("meter", clock.now(), values | {"power": number}))
        clock.tick(1)
        await buffer.flush()
        await asyncio.sleep(0)


async def test_a_full_disk_lets_settled_data_go_and_then_accepts_again() -> None:
    clock = HandClock()
    with LoopFs("48M") as fs:
        async with opened(fs.path / "store", clock, site=SMALL) as buffer:
            assert (fs.path / "store" / "ballast").stat().st_size == 1 << 20
            await busy(buffer, clock, 300)
            fs.fill()
            await busy(buffer, clock, 600, 300)
            assert (fs.path / "store" / "ballast").exists()  # nothing could be deleted yet
            delivered = powers(await drain(buffer.outbox("cloud")))
            assert len(delivered) >= 899  # one commit at most waits for what the disk says
            clock.tick(61)
            await busy(buffer, clock, 100, 900)
            clock.tick(61)
            await busy(buffer, clock, 1, 1000)
            delivered += powers(await drain(buffer.outbox("cloud")))
            assert buffer.facts().broken is None
            assert sorted(delivered) == [*range(1001)]
            assert not (fs.path / "store" / "ballast").exists()
            fs.empty()
            for step in range(3):
                clock.tick(61)
                await busy(buffer, clock, 1, 1001 + step)
            assert (fs.path / "store" / "ballast").exists()


@asynccontextmanager
async def without_ballast(folder: Path, clock: HandClock) -> AsyncIterator[Buffer]:
    frame = replace(frame_of(SMALL), ballast_bytes=0)
    async with opened(folder, clock, site=SMALL, build=Build(made, frame)) as buffer:
        yield buffer


async def test_without_the_ballast_the_store_is_stuck_in_ram() -> None:
    clock = HandClock()
    with LoopFs("48M") as fs:
        async with without_ballast(fs.path / "store", clock) as buffer:
            await busy(buffer, clock, 300)
            fs.fill()
            await busy(buffer, clock, 600, 300)
            assert buffer.facts().broken is not None
            assert powers(await drain(buffer.outbox("cloud")))[:300] == [*range(300)]


async def test_a_start_on_a_read_only_disk_collects_in_ram_and_brings_it_home_later() -> None:
    clock = HandClock()
    with LoopFs("48M") as fs:
        folder = fs.path / "store"
        async with opened(folder, clock, site=SMALL) as buffer:
            await put(buffer, clock, 1, 2, 3)
        fs.refuse_writes()
        async with opened(folder, clock, site=SMALL) as buffer:
            assert buffer.facts().broken is not None
            await put(buffer, clock, "in", "exile")
            assert powers(await take(buffer.outbox("cloud"))) == ["in", "exile"]
        fs.allow_writes()
        async with opened(folder, clock, site=SMALL) as buffer:
            await buffer.salvage()
            assert sorted(map(str, powers(await drain(buffer.outbox("cloud"))))) == [
                "1", "2", "3", "exile", "in",
            ]  # fmt: skip
            assert buffer.facts().broken is None


@pytest.mark.parametrize("kind", [Database, Rollback])
async def test_no_inodes_left_is_no_reason_not_to_commit(kind: type[Database]) -> None:
    clock = HandClock()
    with LoopFs("48M", mkfs=("-N", "40")) as fs:
        async with opened(fs.path / "store", clock, site=SMALL, build=built(kind)) as buffer:
            await put(buffer, clock, 1)
            for number in range(60):
                touched = subprocess.run(["touch", str(fs.path / f"f{number}")], check=False)  # noqa: ASYNC221
                if touched.returncode:
                    break
            await put(buffer, clock, 2, 3)
            if kind is Rollback:  # a journal that needs a file each time: what ours is not for
                assert buffer.facts().broken is not None
                return
            assert buffer.facts().broken is None
            assert powers(await take(buffer.outbox("cloud"))) == [1, 2, 3]
