"""Fault 16: a page that can never be read again holds nobody up: the rest comes by salvage."""

import asyncio
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from agent.daemon.buffer.database import Database, Frame
from agent.daemon.buffer.keeper import NewStartError
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.store import UNREAD_MAX, Store
from tests.daemon.buffer.parts import HandClock, balanced, drain, made, opened, powers, put

WAITING = 30
PATIENCE_S = 0.5


class BadSector(Database):
    """Chunks cannot be read any more; what is new can be written."""

    def execute(self, sql: str, values: Iterable[object] = ()) -> sqlite3.Cursor:
        if sql.startswith("select seq, last") and "from chunk" in sql:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
            raise error
        return super().execute(sql, values)


class Patient(Store):
    """A build that waits for the page for ever."""

    def __init__(self, home: Path, frame: Frame) -> None:
        super().__init__(home, frame, BadSector)
        self._unread_times = -(10**6)


def on_bad_sector(home: Path, frame: Frame) -> Store:
    return Store(home, frame, BadSector)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def waits_for_ever(folder: Path, clock: HandClock, build: Build) -> bool:
    """Try to send what lies on a card that gives none of it; whether that is all that happens."""
    async with opened(folder, clock, build=build) as buffer:
        for _ in range(UNREAD_MAX):
            assert await drain(buffer.outbox("cloud")) == []
        with suppress(TimeoutError, NewStartError):
            async with asyncio.timeout(PATIENCE_S) as waited:
                await buffer.run()
    return waited.expired()


async def written(folder: Path, clock: HandClock) -> None:
    async with opened(folder, clock) as buffer:
        await put(buffer, clock, *range(WAITING))


async def test_who_can_never_read_it_starts_anew_and_what_is_readable_comes(
    tmp_path: Path, clock: HandClock
) -> None:
    await written(tmp_path, clock)
    assert not await waits_for_ever(tmp_path, clock, Build(made, store=on_bad_sector))
    async with opened(tmp_path, clock) as buffer:
        await buffer.salvage()
        assert powers(await drain(buffer.outbox("cloud"))) == list(range(WAITING))
        assert balanced(buffer)


async def test_a_build_that_is_patient_with_it_is_caught(tmp_path: Path, clock: HandClock) -> None:
    await written(tmp_path, clock)
    assert await waits_for_ever(tmp_path, clock, Build(made, store=Patient))
