"""Fault 58: a configuration that cuts its own way out: a bad address, a destination removed.

Nobody configures a gateway from afar yet, and there is no trial that is taken back when no
destination acknowledges: an edit is a person's, it is checked and applied by a restart. So what is
proven here is the part that protects the data: what waits is untouched by any edit. What waited for
a destination that is gone stays through starts and kills until the destination is back or a person
lets go of it; and what was read while the way was cut goes out when the file is mended.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.lab.mosquitto import free_port
from tests.lab.scripted import Scripted
from tests.lab.whole import CONFIGURATION, ENDS_S, Archive, Whole, ending, whole

pytestmark = pytest.mark.timeout(90)

ATTIC = '  attic: {{kind: http, url: "http://127.0.0.1:ATTIC/in", every: 100ms}}\nstatus'
ENOUGH = 10  # samples


def with_attic(port: int) -> str:
    return CONFIGURATION.replace("status", ATTIC.replace("ATTIC", str(port)))


async def held(site: Whole) -> dict[str, Any]:
    queue = await site.ask("queue")
    found: dict[str, Any] = queue["destinations"].get("attic", {})
    return found


async def waits(site: Whole, true: Callable[[int], bool]) -> None:
    """Until so many samples wait for the attic."""
    async with asyncio.timeout(ENDS_S):
        while not true(((await held(site)).get("waiting") or {"samples": 0})["samples"]):
            await asyncio.sleep(0.05)


async def until_attic_has_to_wait(site: Whole) -> None:
    with ending(site.start()) as daemon:
        await site.until(bool)
        await waits(site, lambda samples: samples >= ENOUGH)
        await site.stop(daemon)


def forget(site: Whole) -> None:
    """Broken: a buffer that goes with its destination."""
    with closing(sqlite3.connect(site.state / "buffer" / "buffer.db")) as db:
        db.execute("delete from destination where name in ('attic', '-attic')")
        db.commit()


@pytest.mark.parametrize("build", ["sound", "forgets"])
async def test_what_waits_for_a_removed_destination_stays_until_it_is_back(
    tmp_path: Path, build: str
) -> None:
    archive, port = Archive(), free_port()
    async with whole(tmp_path) as site:
        site.configure(with_attic(port))
        await until_attic_has_to_wait(site)
        before = len(site.meter.served)
        site.configure()
        if build == "forgets":
            forget(site)
        with ending(site.start()) as daemon:
            await site.fresh(1)
            site.kill(daemon)
        async with Scripted(archive) as attic:
            site.configure(with_attic(attic.port))
            with ending(site.start()) as daemon:
                await site.until(lambda _: bool(archive.kept))
                await waits(site, lambda samples: samples <= 3)
                await site.stop(daemon)
        missing = [n for n in site.meter.served if n < before - 2 and n not in archive.counts()]
    assert (missing == []) is (build == "sound")


async def test_a_person_lets_go_of_it_and_the_ledger_has_it(tmp_path: Path) -> None:
    async with whole(tmp_path) as site:
        site.configure(with_attic(free_port()))
        await until_attic_has_to_wait(site)
        site.configure()
        with ending(site.start()) as daemon:
            await site.fresh(1)
            before = await held(site)
            gone = await site.ask("queue.drop", destination="attic", what="all")
            after = await held(site)
            assert await site.drained(daemon) == []
    assert (before["configured"], before["waiting"]["samples"] >= ENOUGH) == (False, True)
    assert gone["forgotten"] is True
    assert after["waiting"] is None
    assert [(line["reason"], line["readings"]) for line in after["lost"]] == [
        ("dropped_by_operator", gone["waiting_readings"])
    ]


async def test_an_edit_that_cuts_the_way_out_is_named_and_costs_nothing(tmp_path: Path) -> None:
    async with whole(tmp_path) as site:
        with ending(site.start()) as daemon:
            await site.fresh()
            await site.stop(daemon)
        cut = CONFIGURATION.replace("{cloud}", str(free_port()))
        site.configure(cut)
        with ending(site.start()) as daemon:
            told = await site.until(lambda told: _keeper(told)["waiting_readings"] >= ENOUGH)
            assert _keeper(told)["state"] == "waiting"
            assert "127.0.0.1" in _keeper(told)["message"]
            assert await site.stop(daemon) == 0
        site.configure()
        with ending(site.start()) as daemon:
            assert await site.drained(daemon) == []


def _keeper(told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = told["status"]["destinations"]["keeper"]
    return found
