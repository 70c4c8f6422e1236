"""Fault 23: an old copy of the store is put back, or the card is moved to another gateway.

Its witness tells, and where that was put back as well, a destination that knows of more.
"""

import asyncio
import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cloud import Batch, Cloud, Receipt, Vitals
from agent.daemon.buffer import Buffer
from agent.daemon.buffer.opening import Build, frame_of
from agent.daemon.uplink import Uplink
from agent.plan import Destination
from tests.daemon.buffer.parts import SITE, HandClock, balanced, made, opened, put, take
from tests.daemon.twins import Reported
from tests.faults.clouds import http
from tests.lab.scripted import Asked, Piece, Scripted, reply


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def test_an_old_copy_begins_a_new_epoch_and_says_what_may_be_missing(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1, 2, 3)
        first = buffer.facts().epoch
    shutil.copytree(tmp_path / "buffer", tmp_path / "copy")
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 4, 5)
    shutil.rmtree(tmp_path / "buffer")
    (tmp_path / "copy").rename(tmp_path / "buffer")
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, "after")
        records = await take(buffer.outbox("cloud"))
        lost = buffer.facts().destinations["cloud"].lost_by_reason
    assert [(r.epoch == first, r.seq, r.values["power"]) for r in records] == [
        (True, 1, 1),
        (True, 2, 2),
        (True, 3, 3),
        (False, 1, "after"),
    ]
    assert lost == {"rolled_back": 2}


async def test_without_its_witness_an_old_copy_gives_a_number_twice(
    tmp_path: Path, clock: HandClock
) -> None:
    """The control: the store alone cannot know that it is old."""
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1)
    shutil.copytree(tmp_path / "buffer", tmp_path / "copy")
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 2)
        told = (await take(buffer.outbox("cloud")))[-1]
    shutil.rmtree(tmp_path / "buffer")
    (tmp_path / "copy").rename(tmp_path / "buffer")
    (tmp_path / "witness").unlink()
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, "after")
        again = (await take(buffer.outbox("cloud")))[-1]
    assert (again.epoch, again.seq) == (told.epoch, told.seq)
    assert again.values != told.values


async def test_a_card_in_another_board_begins_a_new_epoch(tmp_path: Path, clock: HandClock) -> None:
    async def started(board: bytes) -> str:
        build = Build(made, replace(frame_of(SITE), hardware=board))
        async with opened(tmp_path, clock, build=build) as buffer:
            await put(buffer, clock, 1)
            return buffer.facts().epoch

    first = await started(b"board-01")
    assert await started(b"board-01") == first
    moved = await started(b"board-02")
    assert moved != first
    assert await started(b"board-02") == moved
    assert await started(bytes(8)) == moved  # a board without a serial number says nothing


class Deduplicating:
    """A server that goes by names: what comes under a known one is dropped, and answered for.

    Args:
        boasts: by how much it says to know more than it does.
    """

    def __init__(self, boasts: int = 0) -> None:
        self.held: dict[tuple[str, int], object] = {}
        self.boasts = boasts

    def __call__(self, asked: Asked) -> Iterable[Piece]:
        document = asked.json()
        epoch = document["epoch"]
        for one in document["records"]:
            self.held.setdefault((epoch, one["seq"]), one["values"]["power"])
        known = max(seq for name, seq in self.held if name == epoch)
        receipt = {"epoch": epoch, "accepted_through": known + self.boasts}
        return reply(200, json.dumps(receipt).encode())


class Believes:
    """Does not look at what a receipt says beyond what was sent."""

    def __init__(self, sound: Cloud) -> None:
        self.sound = sound
        self.limits = sound.limits

    async def send(self, batch: Batch) -> Receipt:
        return replace(await self.sound.send(batch), known=None)

    async def aclose(self) -> None:
        await self.sound.aclose()


async def carried(buffer: Buffer, clock: HandClock, server: Deduplicating, *, deaf: bool) -> int:
    """Everything that waits goes there; how often health was told of a doubt."""
    report = Reported()
    destination = Destination("cloud", "http", "x:y", 0.05, None, {})
    async with Scripted(server) as there, http(there.url, deadline_s=10.0) as cloud:
        way = Believes(cloud) if deaf else cloud
        uplink = Uplink(destination, lambda: way, buffer.outbox("cloud"), report, clock)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(uplink.run(lambda: Vitals(1, "0.1.0", 1000)), name="up")
            while buffer.outbox("cloud").waiting().samples:
                await asyncio.sleep(0.01)
            task.cancel()
    return report.doubts


@pytest.mark.timeout(60)
@pytest.mark.parametrize("deaf", [False, True], ids=["sound", "believes every receipt"])
async def test_what_a_server_knows_of_tells_an_old_copy_that_has_its_witness(
    tmp_path: Path, clock: HandClock, *, deaf: bool
) -> None:
    """All of the folder was put back: new samples get the names of those that came after it."""
    server, home, copy = Deduplicating(), tmp_path / "home", tmp_path / "copy"
    async with opened(home, clock) as buffer:
        await put(buffer, clock, "a", "b")
    shutil.copytree(home, copy)
    async with opened(home, clock) as buffer:
        await put(buffer, clock, "c", "d", "e")
        assert await carried(buffer, clock, server, deaf=deaf) == 0
    shutil.rmtree(home)
    copy.rename(home)
    async with opened(home, clock) as buffer:
        first = buffer.facts().epoch
        await put(buffer, clock, "new 1", "new 2")
        doubts = await carried(buffer, clock, server, deaf=deaf)
        assert balanced(buffer)
        assert (doubts, buffer.facts().epoch == first) == ((0, True) if deaf else (1, False))
    held = sorted(str(value) for value in server.held.values())
    assert held == ["a", "b", "c", "d", "e", *([] if deaf else ["new 1", "new 2"])]
    async with opened(home, clock) as buffer:
        await put(buffer, clock, "later")
        assert await carried(buffer, clock, server, deaf=deaf) == 0
        assert ("later" in server.held.values()) is not deaf


@pytest.mark.timeout(60)
async def test_a_server_that_boasts_is_doubted_once_and_holds_up_nothing(
    tmp_path: Path, clock: HandClock
) -> None:
    server, doubts = Deduplicating(boasts=1_000_000), 0
    for start in range(3):
        async with opened(tmp_path, clock) as buffer:
            await put(buffer, clock, f"one {start}", f"other {start}")
            doubts += await carried(buffer, clock, server, deaf=False)
            assert balanced(buffer)
    assert doubts == 1
    held = {str(value) for value in server.held.values()}
    assert held == {f"{one} {start}" for one in ("one", "other") for start in range(3)}
