"""Fault 22: the write-ahead log is gone, or belongs to another database."""

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from tests.daemon.buffer.parts import HandClock, opened, powers, put, take


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


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
        lost = buffer.facts().destinations["cloud"].lost_by_reason
    assert lost["rolled_back"] >= 3 - (len(records) - 1)


async def test_an_unclean_stop_is_entered_with_its_bound(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path / "a", clock) as buffer:
        await put(buffer, clock, 1, 2, 3)
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    async with opened(tmp_path / "b", clock) as buffer:
        assert powers(await take(buffer.outbox("cloud"))) == [1, 2, 3]
        facts = buffer.facts().destinations["cloud"]
    assert 3 <= facts.lost_by_reason["unclean_stop"] <= 6
    assert (facts.lost, facts.waiting) == (0, 3)


WALKED_OUT = """
import asyncio, sys
from pathlib import Path
from agent.daemon.buffer import Buffer
from agent.daemon.buffer.opening import Build
from tests.daemon.buffer.parts import SITE, HandClock, made, put

async def used():
    buffer = Buffer(Path(sys.argv[1]), SITE, HandClock(), ["cloud"], Build(made))
    await buffer.open()
    await put(buffer, HandClock(), 1, 2, 3)
    print(buffer.facts().epoch)
    return buffer

buffer = asyncio.run(used())
"""


async def test_a_process_that_ends_without_closing_its_store_leaves_the_log(
    tmp_path: Path, clock: HandClock
) -> None:
    command = (sys.executable, "-c", WALKED_OUT, str(tmp_path))
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate()
    async with opened(tmp_path, clock) as buffer:
        assert powers(await take(buffer.outbox("cloud"))) == [1, 2, 3]
        assert buffer.facts().epoch == out.decode().strip()
        assert set(buffer.facts().destinations["cloud"].lost_by_reason) == {"unclean_stop"}


async def test_starts_and_stops_alone_change_no_epoch(tmp_path: Path, clock: HandClock) -> None:
    epochs, starts = set(), 0
    for _ in range(5):
        async with opened(tmp_path, clock) as buffer:
            epochs.add(buffer.facts().epoch)
            starts = buffer.facts().starts
    assert len(epochs) == 1
    assert starts == 5


async def test_another_databases_log_is_not_believed(tmp_path: Path, clock: HandClock) -> None:
    for name in ("a", "b"):
        async with opened(tmp_path / name, clock) as buffer:
            await put(buffer, clock, *([name] * 20))
            shutil.copytree(tmp_path / name, tmp_path / f"{name} stopped")
    log = "buffer/buffer.db-wal"
    shutil.copy(tmp_path / "b stopped" / log, tmp_path / "a stopped" / log)
    async with opened(tmp_path / "a stopped", clock) as buffer:
        await put(buffer, clock, "new")
        values = powers(await take(buffer.outbox("cloud")))
        assert values[-1] == "new"
        assert "b" not in values


async def test_what_a_start_found_is_a_sentence_at_once(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path / "a", clock) as buffer:
        assert not buffer.news
        await put(buffer, clock, 1, 2, 3)
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    async with opened(tmp_path / "b", clock) as buffer:
        [sentence] = buffer.news
    assert "without a proper stop" in sentence
    async with opened(tmp_path / "a", clock) as buffer:
        assert not buffer.news
