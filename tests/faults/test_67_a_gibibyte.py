"""Fault 67: the database crosses 1 GiB, where SQLite keeps a page of its own for locks."""

import random
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.prepare.store import migrate
from agent.sample import Sample
from tests.daemon.buffer.parts import SITE, HandClock, balanced, drain, opened

LOCK_BYTE = 1 << 30
SHORT_BYTES = 2 << 20  # of it, when the store opens
PIECES = 4  # of what fills it: a blob ends below 1 GB
LARGE = replace(SITE, buffer_bytes=2 << 30, may_lose_s=3600.0)
SAMPLES, TEXT_BYTES, AT_ONCE = 5000, 600, 100
MEMORY = Path("/dev/shm")  # noqa: S108 - a tmpfs: a gigabyte is synced at once


@pytest.fixture
def folder() -> Iterator[Path]:
    where = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="fieldpost-gibibyte-", dir=where) as made:
        yield Path(made)


def fill(database: Path) -> None:
    """Something that is none of ours, up to just below the lock page."""
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute("pragma synchronous = off")
        db.execute("create table filler (body blob)")
        for _ in range(PIECES):
            db.execute(
                "insert into filler values (zeroblob(?))", ((LOCK_BYTE - SHORT_BYTES) // PIECES,)
            )
            db.execute("pragma wal_checkpoint(truncate)")


def empty(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute("drop table filler")


def lose_what_lies_above(database: Path) -> None:
    with database.open("r+b") as file:
        file.seek(LOCK_BYTE)
        file.write(bytes(SHORT_BYTES))


@pytest.mark.machine  # a gigabyte of RAM, and half a minute
@pytest.mark.timeout(120)
@pytest.mark.parametrize("sound", [True, False])
async def test_samples_on_both_sides_of_the_lock_page_are_whole(
    folder: Path, *, sound: bool
) -> None:
    dice, clock = random.Random(67), HandClock()  # noqa: S311 - a seed replays
    texts = [dice.randbytes(TEXT_BYTES).hex() for _ in range(SAMPLES)]
    database = folder / "buffer" / "buffer.db"
    migrate(folder)
    fill(database)
    async with opened(folder, clock, site=LARGE) as buffer:
        for number, text in enumerate(texts, 1):
            await buffer.put(Sample("meter", clock.now(), {"text": text}))
            clock.tick(1)
            if number % AT_ONCE == 0:
                await buffer.flush()
    assert database.stat().st_size > LOCK_BYTE + SHORT_BYTES / 2
    if not sound:
        lose_what_lies_above(database)
    async with opened(folder, clock, site=LARGE) as buffer:
        got = [record.values["text"] for record in await drain(buffer.outbox("cloud"))]
        assert (got == texts) is sound
        assert balanced(buffer)
        await buffer.flush()
    if sound:
        empty(database)
        await shrunk(folder, clock)


async def shrunk(folder: Path, clock: HandClock) -> None:
    """The way back across it: free pages are given back while samples come and go."""
    database = folder / "buffer" / "buffer.db"
    async with opened(folder, clock, site=LARGE) as buffer:
        for _ in range(100):
            clock.tick(61)
            await buffer.put(Sample("meter", clock.now(), {"text": "after"}))
            await buffer.flush()
            got = await drain(buffer.outbox("cloud"))
            assert [record.values["text"] for record in got] == ["after"]
    assert database.stat().st_size < LOCK_BYTE
