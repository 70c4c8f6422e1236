"""Fault 19, continued: a bit flips in what many samples depend on: cursors, boots, names, shapes.

Each of those rows has a twin, so one flip costs nothing: not a sample, its time, nor its name.
Where both copies are gone, samples may come twice or with an estimated time, but none is lost
without an entry and none is blocked.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.cloud import Record, TimeQuality
from agent.daemon.buffer.database import PAGE_BYTES
from agent.daemon.buffer.quarantine import Quarantine
from tests.daemon.buffer.parts import HandClock, balanced, drain, opened, powers, put

FLIPS = {
    "cursor": "update destination set through = through + 4 where name = 'cloud'",
    "name of a destination": "update destination set name = 'clowd' where name = 'cloud'",
    "boot": "update boot set started_running_ns = started_running_ns + 1024 where id = 1",
    "anchors": "update boot set anchors = replace(anchors, '17', '18') where id = 1",
    "life": "update life set epoch = 'x' || substr(epoch, 2) where first = 1",
    "shape": "update shape set device = 'metes' where id = 1",
    "meta": "update meta set floor = floor + 1024",
}
TWINS = {
    "cursor": "update destination set through = through + 4 where name in ('cloud', '-cloud')",
    "boot": "update boot set started_running_ns = started_running_ns + 1024 where abs(id) = 1",
    "life": "update life set epoch = 'x' || substr(epoch, 2)",
    "shape": "update shape set device = 'metes' where abs(id) = 1",
}
NAMES = ("cloud", "other")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def written(folder: Path, clock: HandClock) -> str:
    """Ten samples of two devices that one destination has and the other has not; the epoch."""
    async with opened(folder, clock, NAMES) as buffer:
        for value in range(5):
            await put(buffer, clock, value)
            await put(buffer, clock, value, device="meter-2")
        await drain(buffer.outbox("other"))
        epoch = buffer.facts().epoch
    clock.reboot("boot-2")
    return epoch


def flip(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "buffer" / "buffer.db")) as db, db:
        assert db.execute(statement).rowcount >= 1


async def delivered(folder: Path, clock: HandClock) -> tuple[list[Record], int]:
    """What comes out for the one that waits, and how many more readings are in its ledger."""
    async with opened(folder, clock, NAMES) as buffer:
        await buffer.salvage()
        await put(buffer, clock, "new")
        records = await drain(buffer.outbox("cloud"))
        assert powers(await drain(buffer.outbox("other")))[-1] == "new"
        assert balanced(buffer)
        return records, sum(buffer.facts().destinations["cloud"].lost_by_reason.values())


@pytest.mark.parametrize("statement", FLIPS.values(), ids=FLIPS)
async def test_one_flip_costs_nothing(tmp_path: Path, clock: HandClock, statement: str) -> None:
    whole = tmp_path / "whole"
    await written(whole, clock)
    sound, _ = await delivered(whole, clock)
    clock = HandClock()
    home = tmp_path / "flipped"
    epoch = await written(home, clock)
    flip(home, statement)
    records, lost = await delivered(home, clock)
    assert lost == 0
    assert [(r.seq, r.device, r.time_ns, r.values, r.time) for r in records] == [
        (r.seq, r.device, r.time_ns, r.values, r.time) for r in sound
    ]
    assert {r.epoch for r in records} == {epoch}


@pytest.mark.parametrize("where", ["in place", "set aside"])
@pytest.mark.parametrize("statement", TWINS.values(), ids=TWINS)
async def test_where_both_copies_are_gone_nothing_is_lost_in_silence_or_made_up(
    tmp_path: Path, clock: HandClock, statement: str, where: str
) -> None:
    await written(tmp_path, clock)
    flip(tmp_path, statement)
    if where == "set aside":
        Quarantine(tmp_path).put_aside()
    records, lost = await delivered(tmp_path, clock)
    old = [record for record in records if record.values["power"] != "new"]
    assert len(old) + lost >= 10
    assert all(record.device in {"meter", "meter-2"} for record in old)
    assert all(record.time_ns < clock.now().wall_ns for record in old)
    assert records[-1].values["power"] == "new"


def flip_header(folder: Path, table: str, bit: int) -> None:
    """Of the page on which the table begins (SQLite database file format, 1.6)."""
    file = folder / "buffer" / "buffer.db"
    with closing(sqlite3.connect(file)) as db:
        query = "select rootpage from sqlite_master where name = ?"
        [(root,)] = db.execute(query, (table,)).fetchall()
    content = bytearray(file.read_bytes())
    content[(root - 1) * PAGE_BYTES + bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("table", "bit"),  # its page's kind, and how many rows it has
    [*(("shape", bit) for bit in (0, 3, 7, 28, 33, 34)), ("destination", 1), ("destination", 34)]
    + [(table, bit) for table in ("life", "boot", "meta") for bit in (2, 33)],
)
async def test_a_flip_in_the_header_of_a_small_table_costs_nothing(
    tmp_path: Path, clock: HandClock, table: str, bit: int
) -> None:
    epoch = await written(tmp_path, clock)
    flip_header(tmp_path, table, bit)
    records, lost = await delivered(tmp_path, clock)
    assert (len(records), lost) == (11, 0)
    assert {record.epoch for record in records[:10]} == {epoch}
    assert all(record.time is TimeQuality.EXACT for record in records)


@pytest.mark.parametrize("bit", [0, 24, 33, 36, 40])
async def test_a_flip_in_the_header_of_a_page_of_chunks_costs_no_more_than_those_and_is_counted(
    tmp_path: Path, clock: HandClock, bit: int
) -> None:
    await written(tmp_path, clock)
    flip_header(tmp_path, "chunk", bit)
    async with opened(tmp_path, clock, NAMES) as buffer:
        await buffer.salvage()
        await put(buffer, clock, "new")
        records = await drain(buffer.outbox("cloud"))
        await buffer.flush()
        assert buffer.facts().set_aside is None
        lost = sum(buffer.facts().destinations["cloud"].lost_by_reason.values())
        assert len(records) + lost >= 11
        assert balanced(buffer)


async def test_a_new_shape_never_takes_the_number_of_a_damaged_one(
    tmp_path: Path, clock: HandClock
) -> None:
    await written(tmp_path, clock)
    flip(tmp_path, TWINS["shape"])
    async with opened(tmp_path, clock, NAMES) as buffer:
        await put(buffer, clock, "new", device="meter-3")
        records = await drain(buffer.outbox("cloud"))
    assert {r.device for r in records if r.values["power"] != "new"} <= {"meter", "meter-2"}


async def test_rows_without_twins_would_lose_the_place_of_a_destination(
    tmp_path: Path, clock: HandClock
) -> None:
    """The control: with the twin gone as well, only the fallback stands between us and silence."""
    await written(tmp_path, clock)
    flip(tmp_path, "delete from destination where ltrim(name, '-') = 'cloud'")
    records, lost = await delivered(tmp_path, clock)
    assert (len(records), lost) == (1, 0)
