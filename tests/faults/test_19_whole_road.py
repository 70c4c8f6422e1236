"""Fault 19, the whole road: one bit flips anywhere on the card, and what arrives is judged outside.

At most one commit goes for a flip, with an entry; names, devices, times and values stay as they
were, or the time says that it is estimated.
"""

import asyncio
import json
import random
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.cloud import Batch, Limits, Receipt, Record, TimeQuality
from agent.daemon.buffer import Lane
from agent.daemon.buffer.database import Database
from agent.daemon.buffer.keeper import NewStartError
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.salvage import lines
from agent.daemon.buffer.store import Store
from agent.plan import Json
from tests.daemon.buffer.parts import WALL_NS, HandClock, balanced, drain, made, opened, put
from tests.lab.crashes import scratch

COMMITS, EACH, SETTLED = 30, 10, 50
LAST = COMMITS * EACH
LATER_NS = 10**12
NAMES = ("cloud", "other")
FLIPS = 30
PATIENCE_S = 30.0


async def salvaged_here(place: Path, after: int) -> AsyncIterator[Json]:
    """Without a child: there are many of them."""
    for line in lines(place, after):
        yield json.loads(line)


class Trusting(Database):
    """A build that believes SQLite when it says that a log has ended."""

    def _check_log(self) -> None:
        return


BUILD = Build(made, salvage=salvaged_here)
TRUSTING = Build(
    made, salvage=salvaged_here, store=lambda home, frame: Store(home, frame, Trusting)
)


@dataclass
class Plant:
    """Stores as they lay when the power went and after a clean stop, and what is in them."""

    folder: Path
    true: dict[object, Record]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    return asyncio.run(planted(tmp_path_factory.mktemp("whole")))


async def planted(folder: Path) -> Plant:
    clock = HandClock()
    async with opened(folder / "run", clock, NAMES, build=BUILD) as buffer:
        for start in range(0, LAST, EACH):
            device = f"meter-{start // EACH % 4}"
            await put(buffer, clock, *range(start, start + EACH), device=device)
        await drain(buffer.outbox("other"))
        batch = await buffer.outbox("cloud").take(Limits(records=1000), Lane.ANY)
        assert batch is not None
        answered = Batch(batch.records[:SETTLED])
        await buffer.outbox("cloud").settle(answered, Receipt(range(SETTLED)))
        clock.tick(12)
        await put(buffer, clock, LAST)
        shutil.copytree(folder / "run", folder / "cut")
    shutil.copytree(folder / "run", folder / "clean")
    return Plant(folder, {record.values["power"]: record for record in batch.records})


def flip(home: Path, dice: random.Random) -> None:
    """One bit of all that lies there, whatever file it is in."""
    files = [f for f in sorted(home.rglob("*")) if f.is_file() and f.name != "ballast"]
    file = dice.choices(files, [f.stat().st_size for f in files])[0]
    content = bytearray(file.read_bytes())
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    file.write_bytes(content)


async def delivered(home: Path, build: Build) -> tuple[list[Record], int]:
    """Everything that comes out, after as many starts as it takes, and what the ledger has."""
    clock = HandClock("boot-9", LATER_NS, WALL_NS + LATER_NS)
    records: list[Record] = []
    for _ in range(3):
        try:
            async with opened(home, clock, NAMES, build=build) as buffer:
                await buffer.salvage()
                records += await drain(buffer.outbox("cloud"))
                await put(buffer, clock, "new")
                records += await drain(buffer.outbox("cloud"))
                await buffer.look_after()
                await buffer.flush()
                if buffer.facts().destinations["cloud"].waiting:
                    async with asyncio.timeout(PATIENCE_S):
                        await buffer.run()  # it knows that only a new start helps
                assert balanced(buffer)
                lost = buffer.facts().destinations["cloud"].lost_by_reason
                return records, sum(lost.values())
        except NewStartError:
            continue
    pytest.fail("three starts did not lead to a store that works")


def judge(plant: Plant, records: list[Record], lost: int) -> None:
    old = [record for record in records if record.values["power"] != "new"]
    for record in old:
        true = plant.true.get(record.values["power"])
        if true is None:
            assert record.values == {"power": LAST}
            continue
        assert (record.epoch, record.seq, record.device) == (true.epoch, true.seq, true.device)
        assert record.time_ns == true.time_ns or record.time is TimeQuality.ESTIMATED
    missing = set(range(SETTLED, LAST + 1)) - {record.values["power"] for record in old}
    assert len(missing) <= EACH
    assert len(missing) <= lost


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("stop", ["cut", "clean"])
async def test_one_flipped_bit_costs_one_commit_at_most_and_the_ledger_has_it(
    plant: Plant, stop: str
) -> None:
    dice = random.Random(19)  # noqa: S311 - repeatable
    for _ in range(FLIPS):
        with scratch() as home:
            shutil.copytree(plant.folder / stop, home, dirs_exist_ok=True)
            flip(home, dice)
            judge(plant, *await delivered(home, BUILD))


@pytest.mark.timeout(60)
async def test_who_believes_that_a_log_ends_at_a_bad_frame_is_caught(plant: Plant) -> None:
    dice = random.Random(19)  # noqa: S311 - repeatable
    caught = 0
    for _ in range(10):
        with scratch() as home:
            shutil.copytree(plant.folder / "cut", home, dirs_exist_ok=True)
            flip(home, dice)
            try:
                judge(plant, *await delivered(home, TRUSTING))
            except AssertionError:
                caught += 1
    assert caught > 2
