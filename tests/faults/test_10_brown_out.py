"""Fault 10: power that comes and goes; boots are counted, and nothing grows from it."""

import asyncio
import random
import time
from pathlib import Path

import pytest

from tests.lab.failpoints import PROGRAM
from tests.lab.whole import RELEASE, Whole, ending, until, whole

CUTS = 20
FEW, LATE = 2, 4
SLACK_BYTES = 1 << 20  # a checkpoint's worth


@pytest.mark.slow
@pytest.mark.timeout(90)
@pytest.mark.parametrize("build", ["release", "other-board"])
async def test_boots_are_counted_and_nothing_grows(tmp_path: Path, build: str) -> None:
    """A build that takes each boot for another board's begins a new epoch each time."""
    sound = build == "release"
    dice = random.Random(10)  # noqa: S311 - repeatable
    began_s = time.monotonic()
    async with whole(tmp_path) as site:
        with ending(site.start(RELEASE if sound else (*PROGRAM, build))) as daemon:
            await until(lambda: bool(site.meter.served))
            boot_s = time.monotonic() - began_s
            await site.fresh()
            size = taken_bytes(site)
            site.kill(daemon)
        for cut in range(CUTS if sound else FEW):
            with ending(site.start(RELEASE if sound else (*PROGRAM, build))) as daemon:
                late = not sound or cut % LATE == 0  # most cuts come before anything was begun
                await asyncio.sleep(
                    boot_s * dice.uniform(0.6, 1.1) if late else dice.uniform(0, 0.3)
                )
                site.kill(daemon)
        with ending(site.start()) as daemon:
            await site.fresh()
            told = await site.ask("snapshot")
            found = await site.drained(daemon)
        if not sound:
            assert any("epochs" in one for one in found), found
            return
        assert found == []
        assert FEW <= told["status"]["store"]["starts_total"] <= CUTS + 2
        assert not (site.state / "quarantine").exists()
        assert taken_bytes(site) <= size + SLACK_BYTES


def taken_bytes(site: Whole) -> int:
    """What the state directory takes."""
    return sum(file.stat().st_size for file in site.state.rglob("*") if file.is_file())
