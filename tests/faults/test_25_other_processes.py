"""Faults 25 and 26: other processes at the same files, while the daemon runs or before it does."""

import asyncio
import fcntl
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import BusyError
from tests.daemon.buffer.parts import HandClock, opened, powers, put, take
from tests.faults.loose import Shared, built

HOLD = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("begin exclusive")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
db.execute("rollback")
"""


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def holder(folder: Path, seconds: float) -> subprocess.Popen[bytes]:
    """Somebody's shell with an open transaction."""
    file = str(folder / "buffer" / "buffer.db")
    command = [sys.executable, "-c", HOLD, file, str(seconds)]
    shell = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert shell.stdout is not None
    assert shell.stdout.readline() == b"held\n"
    return shell


def ended(shell: subprocess.Popen[bytes]) -> None:
    shell.kill()
    shell.wait()
    if shell.stdout:
        shell.stdout.close()


async def test_a_second_daemon_is_told_so_and_the_first_is_undisturbed(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1)
        with pytest.raises(BusyError, match="another fieldpost daemon"):
            async with opened(tmp_path, clock):
                pass
        await put(buffer, clock, 2)
        assert powers(await take(buffer.outbox("cloud"))) == [1, 2]


async def test_without_the_exclusive_lock_an_operator_takes_what_was_accepted(
    tmp_path: Path, clock: HandClock
) -> None:
    """The control: what the lock below is for."""
    async with opened(tmp_path, clock, build=built(Shared)) as buffer:
        await put(buffer, clock, 1, 2)
        with closing(sqlite3.connect(tmp_path / "buffer" / "buffer.db", timeout=0)) as db:
            assert db.execute("select count(*) from chunk").fetchone() > (0,)
            db.execute("delete from chunk")


async def test_an_operators_sqlite_is_locked_out(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1)
        with closing(sqlite3.connect(tmp_path / "buffer" / "buffer.db", timeout=0)) as db:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                db.execute("delete from chunk")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                db.execute("select * from chunk").fetchall()
        await put(buffer, clock, 2)
        assert powers(await take(buffer.outbox("cloud"))) == [1, 2]


async def test_the_lock_ends_with_its_process(tmp_path: Path, clock: HandClock) -> None:
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1)


@pytest.mark.usefixtures("ram_for_exile")
async def test_a_lock_that_is_let_go_in_time_is_waited_for(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1)
    shell = holder(tmp_path, 1.0)
    async with opened(tmp_path, clock) as buffer:
        assert buffer.facts().broken is None
        assert powers(await take(buffer.outbox("cloud"))) == [1]
    ended(shell)


@pytest.mark.slow
@pytest.mark.timeout(30)
@pytest.mark.usefixtures("ram_for_exile")
async def test_a_lock_that_stays_means_collecting_in_ram_and_a_sentence_that_says_so(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1)
    shell = holder(tmp_path, 60)
    async with opened(tmp_path, clock) as buffer:
        broken = buffer.facts().broken or ""
        assert broken.endswith(f"(process {shell.pid}) holds the store open")
        assert broken.startswith("python")
        await put(buffer, clock, 2)
        assert powers(await take(buffer.outbox("cloud"))) == [2]
    ended(shell)
    async with opened(tmp_path, clock) as buffer:
        await buffer.salvage()
        assert sorted(map(str, powers(await take(buffer.outbox("cloud"))))) == ["1", "2"]


async def test_copies_of_the_files_while_it_runs_disturb_nothing(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        for number in range(50):
            await put(buffer, clock, number)
            copy = await asyncio.create_subprocess_exec(
                "cp", "-r", str(tmp_path / "buffer"), str(tmp_path / "copy")
            )
            await copy.wait()
        log = (tmp_path / "buffer" / "buffer.db-wal").stat().st_size
        assert log < 4 << 20
        assert len(await take(buffer.outbox("cloud"))) == 50
