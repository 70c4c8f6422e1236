"""Faults 19, 20 and 24: bits flip, regions are overwritten, a card lies about its flushes.

Whatever happens to the bytes, no wrong value is handed out, and the next start collects again.
"""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.daemon.buffer.database import Newer, Outdated, Unusable
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.ranges import Settled
from agent.daemon.buffer.reading import Ask
from agent.daemon.buffer.store import Store
from tests.daemon.buffer.parts import HandClock, made, opened, put
from tests.lab.campaign import recorded
from tests.lab.crashes import Disk, scratch, states
from tests.lab.plant import BUILDS as PLANTS
from tests.lab.plant import EVERYTHING, FRAME, device_of, values_of, write

FLIPS, REGIONS, LIES = 600, 120, 150
FILES = ("buffer/buffer.db", "buffer/buffer.db-wal", "witness")
Injury = Callable[[bytearray, random.Random], None]


def flipped(content: bytearray, dice: random.Random) -> None:
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)


def overwritten(content: bytearray, dice: random.Random) -> None:
    size = min(len(content), dice.choice((512, 4096, 65_536)))
    start = dice.randrange(0, max(1, len(content) - size + 1), 512)
    content[start : start + size] = bytes(size) if dice.random() < 0.5 else dice.randbytes(size)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of some hundred samples as it lies there while it runs, with its log."""
    running, copy = tmp_path_factory.mktemp("running"), tmp_path_factory.mktemp("copy")

    async def copied() -> None:
        clock = HandClock()
        await write(running, PLANTS["sound"], range(100), clock)
        async with opened(running, clock, build=Build(made, FRAME)):
            shutil.copytree(running, copy, dirs_exist_ok=True)

    asyncio.run(copied())
    return copy


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("injury", "times"), [(flipped, FLIPS), (overwritten, REGIONS)])
@pytest.mark.parametrize("file", FILES)
def test_no_damage_makes_a_value_wrong(whole: Path, file: str, injury: Injury, times: int) -> None:
    dice = random.Random(19)  # noqa: S311 - repeatable
    for number in range(times // len(FILES)):
        with scratch() as room:
            shutil.copytree(whole, room, dirs_exist_ok=True)
            content = bytearray((room / file).read_bytes())
            injury(content, dice)
            (room / file).write_bytes(content)
            assert wrong(room) == 0, number


def wrong(folder: Path) -> int:
    """How many samples come out that were never served so; a store that is refused has none."""
    store, now = Store(folder, FRAME), HandClock(mono_ns=10**15).now()
    try:
        store.open(now, ["cloud"])
    except (Outdated, Unusable, Newer, sqlite3.Error):
        return 0
    found = store.read(Ask(Settled(), 1, EVERYTHING, EVERYTHING, EVERYTHING))
    store.close(now)
    entries = [entry for chunk in found.chunks for entry in chunk.entries]
    return sum(e[1] != device_of(e[0]) or dict(e[3]) != values_of(e[0]) for e in entries)


async def starts(folder: Path) -> bool:
    """Whether samples are accepted there, whatever lies there."""
    clock = HandClock(mono_ns=10**15)
    async with opened(folder, clock, build=Build(made, FRAME)) as buffer:
        await put(buffer, clock, "new")
        return buffer.facts().broken is None


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("file", FILES)
async def test_every_damaged_store_leads_to_one_that_works(whole: Path, file: str) -> None:
    dice = random.Random(20)  # noqa: S311 - repeatable
    for _ in range(40):
        with scratch() as room:
            shutil.copytree(whole, room, dirs_exist_ok=True)
            content = bytearray((room / file).read_bytes())
            dice.choice((flipped, overwritten))(content, dice)
            (room / file).write_bytes(content)
            assert await starts(room)


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_a_card_that_lies_about_flushes_costs_data_but_never_a_start() -> None:
    ops = recorded("--steps", "20")
    seen = 0
    for state in states(ops, Disk(lying=True), seed=24, per_step=1):
        with state.on_disk() as folder:
            assert await starts(folder)
        seen += 1
        if seen == LIES:
            break
    assert seen > 100


async def test_without_a_crc_flipped_bits_would_go_unnoticed(whole: Path) -> None:
    """The control: SQLite's own check finds next to nothing of this."""
    dice, noticed = random.Random(19), 0  # noqa: S311 - repeatable
    for _ in range(60):
        with scratch() as room:
            content = bytearray((whole / FILES[0]).read_bytes())
            flipped(content, dice)
            (room / "copy.db").write_bytes(content)
            db = sqlite3.connect(room / "copy.db")
            try:
                noticed += db.execute("pragma integrity_check").fetchone() != ("ok",)
            except sqlite3.Error:
                noticed += 1
            db.close()
    assert noticed < 30
