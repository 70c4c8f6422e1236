"""Fault 37: a driver that blocks for ever; the others go on, or the process ends and says where."""

import asyncio
import time
from pathlib import Path

import pytest

from agent.daemon.supervisor import asked
from agent.errors import NoAnswerError
from tests.lab.foreign import connect, installed
from tests.lab.whole import ending, until, whole

SILENT = ("late", "lost")
GOES_ON_S = 4.0  # twice what a process that hangs is given


async def test_a_driver_that_does_not_answer_is_not_waited_for() -> None:
    with pytest.raises(NoAnswerError, match="rs485 did not answer within"):
        async with asked("rs485", 0.01):
            await asyncio.Event().wait()


async def test_what_nobody_foresaw_is_an_answer_too() -> None:
    with pytest.raises(NoAnswerError, match="the driver of rs485 failed"):
        async with asked("rs485"):
            raise RuntimeError


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_drivers_that_wait_for_ever_are_silent_alone(tmp_path: Path) -> None:
    """One of them leaves a thread behind: the end does not wait for that, and says so."""
    python = installed(tmp_path / "environment")
    async with whole(tmp_path) as site:
        connect(site, "never-answers", "leaves-a-thread")
        with ending(site.start([python, "-m", "agent.cli"])) as daemon:
            blocked = ("never-answers-device", "leaves-a-thread-device")
            told = await site.until(
                lambda told: all(told["devices"][name]["state"] in SILENT for name in blocked)
            )
            assert told["devices"]["meter"]["state"] == "ok"
            with pytest.raises(NoAnswerError, match="nobody foresaw this"):
                await site.ask("read", device="never-answers-device")
            assert await site.drained(daemon) == ["exit 1"]
    assert "concurrent/futures/thread.py" in site.log


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_a_driver_that_holds_everything_ends_the_process_and_is_named(
    tmp_path: Path,
) -> None:
    """It lets no other thread of Python run either."""
    python = installed(tmp_path / "environment")
    async with whole(tmp_path) as site:
        connect(site, "holds-the-lock")
        with ending(site.start([python, "-m", "tests.lab.failpoints"])) as daemon:
            await until(lambda: bool(site.meter.served))
            assert await site.died(daemon, stuck_s=time.monotonic()) == 1
        assert "in holds_the_lock" in site.log
        site.configure()
        with ending(site.start()) as daemon:
            assert await site.drained(daemon) == []


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_without_that_watch_it_would_hang_for_ever(tmp_path: Path) -> None:
    python = installed(tmp_path / "environment")
    async with whole(tmp_path) as site:
        connect(site, "holds-the-loop")
        command = [python, "-m", "tests.lab.failpoints", "watches-nobody"]
        with ending(site.start(command)) as daemon:
            await until(lambda: bool(site.meter.served))
            await asyncio.sleep(GOES_ON_S)
            assert daemon.poll() is None


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_a_driver_that_does_not_end_is_named_and_costs_no_reading(tmp_path: Path) -> None:
    python = installed(tmp_path / "environment")
    async with whole(tmp_path) as site:
        connect(site, "stays")
        with ending(site.start([python, "-m", "tests.lab.failpoints"])) as daemon:
            assert await site.drained(daemon) == ["exit 1"]
        assert "connection stays does not end" in site.log
