"""An error that passes while the store is opened costs nothing: what was read stands."""

import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from agent.daemon.buffer.database import Database, Frame
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.store import Store
from tests.daemon.buffer.parts import HandClock, drain, made, opened, powers, put


class ErrsOnce(Database):
    """One query fails, the first time."""

    at = ""

    def rows(self, sql: str, values: Iterable[object] = ()) -> list[Any]:
        if self.at and self.at in sql:
            self.at = ""
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR_READ, "IOERR_READ"
            raise error
        return super().rows(sql, values)


@pytest.mark.parametrize("table", ["shape", "life", "destination", "loss"])
async def test_an_error_of_the_disk_that_passes_begins_no_new_epoch(
    tmp_path: Path, table: str
) -> None:
    clock, home, card = HandClock(), tmp_path / "home", tmp_path / "card"
    errs = list[ErrsOnce]()

    def connect(file: Path, frame: Frame) -> Database:
        errs.append(ErrsOnce(file, frame))
        errs[-1].at = f"from {table}"
        return errs[-1]

    def store(folder: Path, frame: Frame) -> Store:
        return Store(folder, frame, connect)

    async with opened(home, clock) as buffer:
        await put(buffer, clock, *range(20))
        epoch = buffer.facts().epoch
        shutil.copytree(home, card)  # as a power cut leaves it
    async with opened(card, clock, build=Build(made, store=store)) as buffer:
        assert [each.at for each in errs] == [""]
        assert buffer.facts().epoch == epoch
        assert buffer.facts().destinations["cloud"].lost_by_reason.keys() == {"unclean_stop"}
        assert powers(await drain(buffer.outbox("cloud"))) == [*range(20)]
