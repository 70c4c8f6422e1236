"""Fault 20: pages are lost: what is readable comes under its old names, the rest is counted."""

import json
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.cloud import Batch, Receipt
from agent.daemon.buffer import Lane
from agent.daemon.buffer.keeper import NewStartError
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.salvage import lines
from agent.plan import Json
from tests.daemon.buffer.parts import HandClock, drain, made, opened, powers, put, sample, take


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def database(folder: Path) -> Path:
    return folder / "buffer" / "buffer.db"


def page_lost(folder: Path, page: int) -> None:
    """Zeros in place of a page, counted from 1."""
    with database(folder).open("rb+") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))


def page_of_chunks(folder: Path) -> int:
    """One that holds chunks and nothing else, from the middle of them."""
    with closing(sqlite3.connect(database(folder))) as db:
        query = "select pageno from dbstat where name = 'chunk' and pagetype = 'leaf' order by path"
        pages = [row[0] for row in db.execute(query)]
    return int(pages[len(pages) // 2])


async def filled(folder: Path, clock: HandClock, count: int) -> str:
    """A store that was not closed, a chunk of ten samples a second; the epoch it had."""
    async with opened(folder / "running", clock) as buffer:
        for start in range(0, count, 10):
            await put(buffer, clock, *range(start, start + 10))
        batch = Batch((await take(buffer.outbox("cloud")))[:100])
        await buffer.outbox("cloud").settle(batch, Receipt(range(100)))
        await buffer.put(sample(clock, "fire", urgent=True))
        clock.tick(11)
        await put(buffer, clock, count)
        shutil.copytree(folder / "running", folder / "stopped")
        return buffer.facts().epoch


async def test_everything_readable_comes_under_its_old_name_and_in_the_backlog(
    tmp_path: Path, clock: HandClock
) -> None:
    epoch = await filled(tmp_path, clock, 3000)
    home = tmp_path / "stopped"
    page_lost(home, page_of_chunks(home))
    async with opened(home, clock) as buffer:
        await put(buffer, clock, "live")
        box = buffer.outbox("cloud")
        await buffer.salvage()
        assert powers(await take(box, Lane.URGENT)) == ["fire"]
        await put(buffer, clock, "later")
        live = []
        while records := await take(box, Lane.LIVE):
            live += records
            await box.settle(Batch(records), Receipt(range(len(records))))
        assert powers(live) == ["live", "later"]
        records = await drain(box)
        facts = buffer.facts().destinations["cloud"]
    old = [r for r in records if r.epoch == epoch]
    assert {r.seq: r.values["power"] for r in old if r.seq <= 3000} == {
        r.seq: r.seq - 1 for r in old if r.seq <= 3000
    }
    assert len({r.seq for r in old}) == len(old) > 2500
    assert not {r.seq for r in old} & set(range(1, 101))
    assert 2902 - len(old) == facts.lost_by_reason["corruption"] > 0
    assert set(facts.lost_by_reason) == {"corruption", "unclean_stop"}
    assert facts.waiting == 0
    assert not (home / "quarantine").exists()


class Cut(Exception):
    """The power went."""


async def cut_short(place: Path, after: int) -> AsyncIterator[Json]:
    for number, line in enumerate(lines(place, after)):
        if number == 250:
            raise Cut
        yield json.loads(line)


async def test_a_salvage_that_is_cut_goes_on_where_it_was(tmp_path: Path, clock: HandClock) -> None:
    epoch = await filled(tmp_path, clock, 4000)
    home = tmp_path / "stopped"
    page_lost(home, page_of_chunks(home))
    records = []
    async with opened(home, clock, build=Build(made, salvage=cut_short)) as buffer:
        with pytest.raises(Cut):
            await buffer.salvage()
        records += await drain(buffer.outbox("cloud"))
    assert len(records) > 1000
    async with opened(home, clock) as buffer:
        await buffer.salvage()
        records += await drain(buffer.outbox("cloud"))
        facts = buffer.facts().destinations["cloud"]
    assert len({r.seq for r in records}) == len(records)
    assert {r.epoch for r in records} == {epoch}
    assert len(records) + facts.lost_by_reason["corruption"] == 3902
    assert facts.waiting == 0


async def killed(place: Path, after: int) -> AsyncIterator[Json]:
    """As when the kernel ends the child because memory is short: no error, and no end either."""
    for line in [json.loads(line) for line in lines(place, after)][:40]:
        if line["kind"] != "end":
            yield line


async def test_a_salvage_child_that_dies_gives_nothing_up_for_lost(
    tmp_path: Path, clock: HandClock
) -> None:
    await filled(tmp_path, clock, 3000)
    home = tmp_path / "stopped"
    page_lost(home, page_of_chunks(home))
    async with opened(home, clock, build=Build(made, salvage=killed)) as buffer:
        await buffer.salvage()
        facts = buffer.facts().destinations["cloud"]
        assert (facts.lost, facts.lost_by_reason) == (0, {})
        first = len(await drain(buffer.outbox("cloud")))
    async with opened(home, clock) as buffer:
        await buffer.salvage()
        rest = len(await drain(buffer.outbox("cloud")))
        facts = buffer.facts().destinations["cloud"]
    assert first > 300
    assert first + rest + facts.lost_by_reason["corruption"] == 2902
    assert not (home / "quarantine").exists()


async def test_a_store_without_a_first_page_gets_that_of_a_new_one(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, *range(500))
        epoch = buffer.facts().epoch
    page_lost(tmp_path, 1)
    async with opened(tmp_path, clock) as buffer:
        await buffer.salvage()
        records = await drain(buffer.outbox("cloud"))
        assert powers(records) == list(range(500))
        assert {record.epoch for record in records} == {epoch}
        assert buffer.facts().destinations["cloud"].lost_by_reason == {}


async def test_of_a_store_of_which_nothing_is_readable_at_least_the_loss_is_known(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, *range(500))
    database(tmp_path).write_bytes(bytes(64 * 4096))
    async with opened(tmp_path, clock) as buffer:
        await buffer.salvage()
        assert buffer.facts().destinations["cloud"].lost_by_reason["corruption"] == 500


async def test_damage_met_while_running_leads_to_a_new_start_that_salvages(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as buffer:
        for start in range(0, 3000, 10):
            await put(buffer, clock, *range(start, start + 10))
    page_lost(tmp_path, page_of_chunks(tmp_path))
    records = []
    async with opened(tmp_path, clock) as buffer:
        records += await drain(buffer.outbox("cloud"))
        with pytest.raises(NewStartError):
            await buffer.run()
    async with opened(tmp_path, clock) as buffer:
        await buffer.salvage()
        records += await drain(buffer.outbox("cloud"))
        facts = buffer.facts().destinations["cloud"]
    known = {r.seq: r.values["power"] for r in records}
    assert known == {seq: seq - 1 for seq in known}
    assert len(known) + facts.lost_by_reason["corruption"] == 3000


async def test_flipped_bits_cost_single_chunks_and_never_change_a_value(
    tmp_path: Path, clock: HandClock
) -> None:
    dice = random.Random(7)  # noqa: S311 - repeatable
    async with opened(tmp_path, clock) as buffer:
        for start in range(0, 2000, 10):
            await put(buffer, clock, *range(start, start + 10))
    content = bytearray(database(tmp_path).read_bytes())
    for _ in range(12):
        content[dice.randrange(8192, len(content))] ^= 1 << dice.randrange(8)
    database(tmp_path).write_bytes(content)
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, "new")
        await buffer.salvage()
        records = await drain(buffer.outbox("cloud"))
        facts = buffer.facts().destinations["cloud"]
    old = [r for r in records if r.values["power"] != "new"]
    assert all(r.values["power"] == r.seq - 1 for r in old)
    assert len(old) + facts.lost_by_reason.get("corruption", 0) == 2000
    assert len(old) >= 1800
