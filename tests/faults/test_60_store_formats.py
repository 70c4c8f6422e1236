"""Fault 60: stores of other versions: an older one is brought up, a newer one left alone."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.daemon.buffer.parts import HandClock, opened, powers, put, take


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def database(folder: Path) -> Path:
    return folder / "buffer" / "buffer.db"


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
