"""Fault 60: stores of other versions: an older one is brought up, a newer one left alone.

Frozen stores of every format there has been are opened by this version (`tests.lab.golden`); power
is cut at every write of the way up; an older agent that finds a newer store works beside it.
"""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.daemon.buffer.database import FORMAT
from agent.daemon.buffer.opening import Build
from agent.errors import FieldpostError
from agent.prepare.store import migrate
from tests.daemon.buffer.parts import HandClock, balanced, drain, made, opened, powers, put, take
from tests.lab.crashes import Disk, State, record, scratch, states
from tests.lab.golden import Golden, goldens
from tests.lab.plant import FRAME, device_of, judge, values_of

GOLDENS = goldens()
BUILD = Build(made, FRAME)


@pytest.fixture
def clock() -> HandClock:
    return HandClock(boot="boot-3", mono_ns=10**12)


@pytest.fixture(params=GOLDENS, ids=lambda number: f"format {number}")
def golden(request: pytest.FixtureRequest) -> Golden:
    return GOLDENS[request.param]


def database(folder: Path) -> Path:
    return folder / "buffer" / "buffer.db"


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def dumped(folder: Path) -> list[str]:
    with closing(sqlite3.connect(database(folder))) as db:
        return [*db.iterdump(), str(db.execute("pragma user_version").fetchone())]


def test_every_format_before_this_one_is_frozen() -> None:
    """Raised the format? Freeze the one before: tests/lab/golden.py says how."""
    assert set(range(1, FORMAT)) <= set(GOLDENS)


def test_what_was_said_of_a_store_of_any_version_holds_after_the_way_up(
    golden: Golden, tmp_path: Path
) -> None:
    golden.lay(tmp_path)
    migrate(tmp_path)
    assert judge(tmp_path, golden.told) == "ok"


async def test_all_that_waited_in_a_store_of_any_version_is_delivered(
    golden: Golden, tmp_path: Path, clock: HandClock
) -> None:
    golden.lay(tmp_path)
    told = golden.told
    async with opened(tmp_path, clock, ("cloud", "archive", "scada"), build=BUILD) as buffer:
        assert balanced(buffer)
        epoch, known = buffer.facts().epoch, buffer.facts().destinations
        assert known["scada"].lost > 0  # what was given up before stays in the ledger
        assert known["archive"].rejected > 0
        held = await buffer.views.held()
        assert held["archive"].count.samples == 5
        await put(buffer, clock, "after")
        cloud, archive = await drain(buffer.outbox("cloud")), await drain(buffer.outbox("archive"))
        assert balanced(buffer)
    *old, new = cloud
    assert {record.seq for record in old} == {
        number for number in range(1, told.committed + 1) if number not in told.answered
    }
    for each in [*old, *archive[:-1]]:
        assert each.epoch == epoch == new.epoch
        assert (each.device, dict(each.values)) == (
            device_of(each.seq),
            values_of(each.seq),
        )
    assert new.seq == told.committed + 1
    assert len(archive) == told.committed + 1 - 5


def test_the_way_up_is_gone_once_however_often_it_is_begun(golden: Golden, tmp_path: Path) -> None:
    golden.lay(tmp_path)
    migrate(tmp_path)
    before = dumped(tmp_path)
    migrate(tmp_path)
    assert dumped(tmp_path) == before


def cut_short(golden: Golden, build: str) -> Iterator[State]:
    """What cuts leave of a store that was on its way up."""
    with scratch() as folder:
        golden.lay(folder)
        start = files(folder)
        command = [sys.executable, "-m", "tests.lab.migrating", str(folder), "--build", build]
        ops = record(folder, command)
    disk = Disk()
    disk.hold(start)
    yield from states(ops, disk, seed=60, per_step=4)


def after_the_cut(state: State, golden: Golden) -> str:
    """The next start goes on from there."""
    with state.on_disk() as folder:
        try:
            migrate(folder)
        except FieldpostError as error:
            return f"stuck: {error.message}"
        return judge(folder, golden.told)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("build", ["sound", "step"])
@pytest.mark.parametrize("number", [n for n in GOLDENS if n < FORMAT])
def test_a_cut_at_any_write_of_the_way_up_leaves_the_old_store_or_the_new_one(
    number: int, build: str
) -> None:
    golden = GOLDENS[number]
    verdicts = [after_the_cut(state, golden) for state in cut_short(golden, build)]
    assert len(verdicts) > 20
    assert (set(verdicts) == {"ok"}) is (build == "sound")


async def test_a_damaged_store_of_any_version_is_set_aside_and_its_samples_delivered(
    golden: Golden, tmp_path: Path, clock: HandClock
) -> None:
    with closing(sqlite3.connect(golden.lay(tmp_path))) as db:
        db.execute("drop table loss")
    told = golden.told
    async with opened(tmp_path, clock, ("cloud", "archive"), build=Build(frame=FRAME)) as buffer:
        assert buffer.facts().broken is None
        await buffer.salvage()
        assert (await buffer.views.held())["archive"].count.samples == 5
        old = await drain(buffer.outbox("cloud"))
    owed = [n for n in range(1, told.committed + 1) if n not in told.answered]
    assert sorted(record.seq for record in old) == owed
    assert all(dict(record.values) == values_of(record.seq) for record in old)


async def newer(folder: Path, clock: HandClock) -> dict[str, bytes]:
    """A store that a version of the future has written."""
    async with opened(folder, clock) as buffer:
        await put(buffer, clock, 1, 2, 3)
    with closing(sqlite3.connect(database(folder))) as db:
        db.execute("create table of_the_future (x)")
        db.execute("pragma user_version = 99")
    return files(folder / "buffer") | {"witness": (folder / "witness").read_bytes()}


async def test_a_newer_store_is_left_alone_and_work_goes_on_beside_it(
    tmp_path: Path, clock: HandClock
) -> None:
    before = await newer(tmp_path, clock)
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, "beside")
        assert powers(await take(buffer.outbox("cloud"))) == ["beside"]
    assert files(tmp_path / "buffer") | {"witness": (tmp_path / "witness").read_bytes()} == before
    async with opened(tmp_path, clock) as buffer:
        assert powers(await take(buffer.outbox("cloud"))) == ["beside"]


async def test_a_migration_that_is_asked_for_a_newer_store_does_nothing(
    tmp_path: Path, clock: HandClock
) -> None:
    before = await newer(tmp_path, clock)
    with pytest.raises(FieldpostError, match="newer version"):
        migrate(tmp_path)
    assert files(tmp_path / "buffer") | {"witness": (tmp_path / "witness").read_bytes()} == before


async def test_what_was_collected_beside_is_delivered_when_the_newer_version_is_back(
    tmp_path: Path, clock: HandClock
) -> None:
    await newer(tmp_path, clock)
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, "beside", "as well")
        epoch = buffer.facts().epoch
    with closing(sqlite3.connect(database(tmp_path))) as db:
        db.execute("drop table of_the_future")
        db.execute(f"pragma user_version = {FORMAT}")
    async with opened(tmp_path, clock) as buffer:
        await buffer.salvage()
        records = await drain(buffer.outbox("cloud"))
        assert balanced(buffer)
    assert sorted(map(str, powers(records))) == ["1", "2", "3", "as well", "beside"]
    assert {r.epoch for r in records if isinstance(r.values["power"], str)} == {epoch}
    async with opened(tmp_path, clock) as buffer:
        await buffer.salvage()
        assert await drain(buffer.outbox("cloud")) == []
