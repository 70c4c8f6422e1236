"""Fault 23: an old copy of the store is put back, or the card is moved to another gateway."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agent.daemon.buffer.opening import Build, frame_of
from tests.daemon.buffer.parts import SITE, HandClock, made, opened, put, take


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
