"""Fault 6: stopped and continued later, as a suspended machine is: no burst, a gap that shows."""

import asyncio
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from agent.clock import from_iso
from tests.lab.failpoints import PROGRAM
from tests.lab.notify import Listener
from tests.lab.whole import EVERY_S, RELEASE, Whole, ending, until, whole

STOPPED_S = 3.0
WATCHDOG_S = 1.0
NORMAL = 1.0 / EVERY_S  # polls a second
PHASE = 2  # polls more that a second may hold: one at each edge


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("build", ["release", "catches-up"])
async def test_what_was_missed_meanwhile_is_not_made_up_for(tmp_path: Path, build: str) -> None:
    command = RELEASE if build == "release" else (*PROGRAM, build)
    async with whole(tmp_path) as site:
        with Listener(tmp_path / "notify") as systemd:
            environment = systemd.environment(WATCHDOG_S)
            with ending(site.start(command, environment)) as daemon:
                await site.fresh()
                daemon.send_signal(signal.SIGSTOP)
                await asyncio.sleep(0.2)
                systemd.forget()
                site.meter.forget_everybody()
                await asyncio.sleep(STOPPED_S)
                assert systemd.fed() == 0
                continued = len(site.meter.served)
                daemon.send_signal(signal.SIGCONT)
                await site.fresh(int(NORMAL))
                await until(lambda: systemd.fed() > 0)
                burst = busiest(site, continued)
                assert (burst <= NORMAL + PHASE) is (build == "release"), burst
                if build == "release":
                    assert longest_gap_s(site) > STOPPED_S
                    assert await site.drained(daemon) == []


def busiest(site: Whole, after: int) -> int:
    """The most polls in any second after a number."""
    times = [at_s for number, at_s in site.meter.served.items() if number > after]
    return max(sum(0 <= at_s - since_s < 1 for at_s in times) for since_s in times)


def longest_gap_s(site: Whole) -> float:
    """Between the readings that the cloud has."""
    times = sorted(from_iso(record["time"]) for _, record in site.archive.records())
    return max(later - one for one, later in pairwise(times)) / 1e9
