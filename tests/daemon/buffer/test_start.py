"""Starting is never refused because of data: whatever lies there, samples are accepted again."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agent.cloud import TimeQuality
from tests.daemon.buffer.parts import HandClock, opened, powers, put, take


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def database(folder: Path) -> Path:
    return folder / "buffer" / "buffer.db"


def truncated(folder: Path) -> None:
    os.truncate(database(folder), 5000)


def emptied(folder: Path) -> None:
    os.truncate(database(folder), 0)


def scribbled(folder: Path) -> None:
    database(folder).write_bytes(b"these are not the pages you are looking for" * 400)


def first_page_gone(folder: Path) -> None:
    with database(folder).open("rb+") as file:
        file.write(bytes(4096))


def a_folder_in_its_place(folder: Path) -> None:
    database(folder).unlink()
    database(folder).mkdir()


def a_file_in_place_of_the_folder(folder: Path) -> None:
    shutil.rmtree(folder / "buffer")
    (folder / "buffer").write_text("?")


def somebody_elses(folder: Path) -> None:
    database(folder).unlink()
    with closing(sqlite3.connect(database(folder))) as db:
        db.execute("create table recipes (name text)")
        db.commit()


def without_a_table(folder: Path) -> None:
    with closing(sqlite3.connect(database(folder))) as db:
        db.execute("drop table destination")


def deleted(folder: Path) -> None:
    shutil.rmtree(folder / "buffer")


DAMAGES = [
    truncated,
    scribbled,
    first_page_gone,
    a_folder_in_its_place,
    a_file_in_place_of_the_folder,
    somebody_elses,
    without_a_table,
]


@pytest.mark.parametrize("damage", [*DAMAGES, emptied, deleted], ids=lambda f: f.__name__)
async def test_it_starts_and_collects(
    tmp_path: Path, clock: HandClock, damage: Callable[[Path], None]
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, *range(300))
        before = buffer.facts().epoch
    damage(tmp_path)
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, "new")
        assert powers(await take(buffer.outbox("cloud")))[-1:] == ["new"]
        assert buffer.facts().epoch != before
        assert buffer.facts().broken is None


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
async def test_what_was_damaged_is_set_aside_whole(
    tmp_path: Path, clock: HandClock, damage: Callable[[Path], None]
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, *range(300))
    damage(tmp_path)
    async with opened(tmp_path, clock):
        assert len(list((tmp_path / "quarantine").iterdir())) == 1


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


async def test_an_unclean_stop_is_entered_with_its_bound(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path / "a", clock) as buffer:
        await put(buffer, clock, 1, 2, 3)
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    async with opened(tmp_path / "b", clock) as buffer:
        assert powers(await take(buffer.outbox("cloud"))) == [1, 2, 3]
        facts = buffer.facts().destinations["cloud"]
    assert 3 <= facts.lost_by_reason["unclean_stop"] <= 6
    assert (facts.lost, facts.waiting) == (0, 3)


async def test_a_lost_write_ahead_log_begins_a_new_epoch(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path / "a", clock) as buffer:
        await put(buffer, clock, 1, 2, 3)
        first = buffer.facts().epoch
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "buffer" / "buffer.db-wal").unlink()
    async with opened(tmp_path / "b", clock) as buffer:
        await put(buffer, clock, "after")
        records = await take(buffer.outbox("cloud"))
        assert records[-1].values["power"] == "after"
        assert records[-1].epoch != first


async def test_a_newer_store_is_left_alone_and_work_goes_on_beside_it(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1, 2, 3)
    with closing(sqlite3.connect(database(tmp_path))) as db:
        db.execute("pragma user_version = 99")
    before = database(tmp_path).read_bytes()
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, "beside")
        assert powers(await take(buffer.outbox("cloud"))) == ["beside"]
    assert database(tmp_path).read_bytes() == before
    async with opened(tmp_path, clock) as buffer:
        assert powers(await take(buffer.outbox("cloud"))) == ["beside"]


async def test_starts_and_stops_alone_change_no_epoch(tmp_path: Path, clock: HandClock) -> None:
    epochs, starts = set(), 0
    for _ in range(5):
        async with opened(tmp_path, clock) as buffer:
            epochs.add(buffer.facts().epoch)
            starts = buffer.facts().starts
    assert len(epochs) == 1
    assert starts == 5


async def test_samples_from_before_the_clock_was_right_get_their_time_when_it_is(
    tmp_path: Path, clock: HandClock
) -> None:
    clock.trusted, true_ns = False, clock.wall_ns
    clock.wall_ns = 3_600 * 10**9  # 1970
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1, 2)
        records = await take(buffer.outbox("cloud"))
        assert [r.time for r in records] == [TimeQuality.UNTRUSTED] * 2
    clock.trusted, clock.wall_ns = True, true_ns + 200_000_000
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 3)
        records = await take(buffer.outbox("cloud"))
    assert [r.time_ns - true_ns for r in records][2:] == [200_000_000]
