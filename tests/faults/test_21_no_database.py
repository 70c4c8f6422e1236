"""Fault 21: the database is empty, truncated, foreign, a folder; samples are accepted again."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.daemon.buffer.parts import HandClock, drain, opened, powers, put, take


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


@pytest.mark.parametrize("damage", [deleted, emptied], ids=lambda f: f.__name__)
async def test_of_a_deleted_store_no_more_is_lost_than_waited_in_it(
    tmp_path: Path, clock: HandClock, damage: Callable[[Path], None]
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, *range(300))
        await drain(buffer.outbox("cloud"))
        await put(buffer, clock, *range(20))
    damage(tmp_path)
    async with opened(tmp_path, clock) as buffer:
        assert buffer.facts().destinations["cloud"].lost_by_reason == {"rolled_back": 20}


async def test_the_bound_of_a_store_that_was_deleted_while_it_ran_has_the_last_minute(
    tmp_path: Path, clock: HandClock
) -> None:
    home = tmp_path / "run"
    async with opened(home, clock) as buffer:
        for number in range(300):
            await put(buffer, clock, number)
        await drain(buffer.outbox("cloud"))
        clock.tick(61)
        await put(buffer, clock, 300)  # the witness is written with it
        for number in range(30):
            await put(buffer, clock, number)
        shutil.copytree(home, tmp_path / "cut")
    deleted(tmp_path / "cut")
    async with opened(tmp_path / "cut", clock) as buffer:
        lost = buffer.facts().destinations["cloud"].lost_by_reason
    assert set(lost) == {"rolled_back"}
    assert 31 <= lost["rolled_back"] <= 1 + 61
