"""Fault 5: kill -9 at named places, at any moment, again and again; who judges is outside."""

import asyncio
import random
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.clock import SystemClock
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.witness import hardware_id
from agent.sample import Sample, Value
from tests.daemon.buffer.parts import made, opened
from tests.lab.failpoints import PROGRAM, VARIABLE
from tests.lab.plant import FRAME, Told, judge
from tests.lab.running import Running
from tests.lab.whole import RELEASE, ROOT, Whole, ending, until, whole

KILLS, MOMENTS, MANY = 25, 7, 20
LONG_S = 3.0  # beyond what a kill may cost
SAMPLES = 10_000
SENDING = (
    "after-send:2", "after-receipt:2", "before-commit:5", "after-commit:5", "before-delete",
    "mid-checkpoint",
)  # fmt: skip
MENDING = ("mid-quarantine:1", "mid-quarantine:2", "mid-salvage:4")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_process_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    dice, told = random.Random(5), Told()  # noqa: S311 - repeatable
    for kill in range(KILLS):
        with Running(tmp_path, told, "--since", str(kill * 3600)) as writer:
            writer.listen(dice.uniform(0.0, 0.12))
    assert told.committed > KILLS
    assert judge(tmp_path, told) == "ok"


async def falls_at(site: Whole, place: str, *words: str) -> None:
    """Run the test build until it dies at a place; that it comes there is part of the test."""
    with ending(site.start((*PROGRAM, *words), {VARIABLE: place})) as daemon:
        assert await site.died(daemon) == -9, site.log
    assert site.log.splitlines()[-1] == f"reached {place.partition(':')[0]}"


async def judged(site: Whole) -> list[str]:
    with ending(site.start()) as daemon:
        return await site.drained(daemon)


@pytest.mark.slow
@pytest.mark.timeout(90)
async def test_the_daemon_may_die_at_every_place_of_a_readings_way(tmp_path: Path) -> None:
    async with whole(tmp_path) as site:
        for place in ("mid-migration:5", *SENDING):
            await falls_at(site, place)
        assert await judged(site) == []
        assert site.archive.repeated, "nothing was ever sent twice: the places are not where told"


@pytest.mark.slow
@pytest.mark.timeout(90)
async def test_the_daemon_may_die_while_a_damaged_store_is_put_aside_and_salvaged(
    tmp_path: Path,
) -> None:
    async with whole(tmp_path) as site:
        site.archive.away = True
        with ending(site.start()) as daemon:
            await until(lambda: len(site.meter.served) > MANY)
            await site.stop(daemon)
        damage(site.state / "buffer" / "buffer.db")
        site.lives += 1
        for place in MENDING:
            await falls_at(site, place)
        site.archive.away = False
        assert await judged(site) == []


@pytest.mark.slow
@pytest.mark.timeout(90)
async def test_the_daemon_may_die_while_it_makes_room(tmp_path: Path) -> None:
    """Everything accepted was delivered, or is in the ledger of losses."""
    async with whole(tmp_path) as site:
        site.archive.away = True
        await filled(site)
        await falls_at(site, "mid-thinning", "few-pages")
        with ending(site.start((*PROGRAM, "few-pages"))) as daemon:
            # before that the cloud would be quicker than the thinning, and nothing was lost
            await site.until(lambda told: lost(told) > 0)
            site.archive.away = False
            await site.fresh()
            told = await site.until(lambda told: waiting(told) <= 3)
            await site.stop(daemon)
        keeper = told["status"]["destinations"]["keeper"]
        accepted = told["status"]["store"]["accepted_readings_total"]
        assert keeper["delivered_total"] + keeper["lost_total"] + waiting(told) == accepted
        assert len({epoch for epoch, _ in site.archive.kept}) == 1
        assert max(len(forms) for forms in site.archive.kept.values()) == 1


async def filled(site: Whole) -> None:
    """A store with more in it than the test build may keep."""
    dice, clock = random.Random(5), SystemClock()  # noqa: S311 - repeatable
    roomy = replace(FRAME, hardware=hardware_id())
    site.state.mkdir()
    async with opened(site.state, clock, ["keeper"], build=Build(made, roomy)) as buffer:
        for _ in range(SAMPLES):
            values: dict[str, Value] = {"noise": dice.random(), "text": dice.randbytes(16).hex()}
            await buffer.put(Sample("meter", clock.now(), values))


def waiting(told: dict[str, Any]) -> int:
    return int(told["status"]["destinations"]["keeper"]["waiting_readings"])


def lost(told: dict[str, Any]) -> int:
    return int(told["status"]["destinations"]["keeper"]["lost_total"])


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_a_driver_that_raises_loses_nothing(tmp_path: Path) -> None:
    async with whole(tmp_path) as site:
        with ending(site.start(PROGRAM, {VARIABLE: "driver-raise:3"})) as daemon:
            await until(lambda: "driver.crashed" in site.log)
            assert "reached driver-raise" in site.log
            await site.fresh()
            site.kill(daemon)
        assert await judged(site) == []


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_what_is_sent_while_nobody_vouches_for_the_clock_says_so_and_stays(
    tmp_path: Path,
) -> None:
    """What has left keeps its stamp and its mark, and what is read with a clock has none."""
    async with whole(tmp_path) as site:
        with ending(site.start(PROGRAM, {VARIABLE: "clock-untrusted"})) as daemon:
            await site.fresh(MANY)
            site.kill(daemon)
        assert "reached clock-untrusted" in site.log
        assert qualities(site) == {"untrusted"}
        served = len(site.meter.served)
        assert await judged(site) == []
        assert qualities(site, served) == {"exact"}


def qualities(site: Whole, after: int = 0) -> set[str]:
    """What is said about the time of the numbers that the meter served later than one."""
    records = [record for _, record in site.archive.records() if record["values"]["count"] > after]
    return {record.get("quality", "exact") for record in records}


def damage(file: Path) -> None:
    """Its header says something that no store of ours says; all rows are there."""
    content = bytearray(file.read_bytes())
    content[64:68] = bytes(4)  # "incremental vacuum" (SQLite's file format, 1.3)
    file.write_bytes(content)


@pytest.mark.slow
@pytest.mark.timeout(90)
@pytest.mark.parametrize("build", ["release", "gathers"])
async def test_the_daemon_may_die_at_any_moment(tmp_path: Path, build: str) -> None:
    """A build that gathers its commits is caught by the same judge."""
    dice = random.Random(5)  # noqa: S311 - repeatable
    sound = build == "release"
    lives_s = [dice.uniform(0.2, 1.8) for _ in range(MOMENTS)] if sound else [LONG_S]
    async with whole(tmp_path) as site:
        for number, life_s in enumerate(lives_s):
            site.archive.away = number % 3 < 2  # so that something waits when it is killed
            with ending(site.start(RELEASE if sound else (*PROGRAM, build))) as daemon:
                await until(lambda: sound or len(site.meter.served) > MANY)
                await asyncio.sleep(life_s)
                site.kill(daemon)
        site.archive.away = False
        found = await judged(site)
    assert (found == []) is sound, found


def test_nothing_that_is_installed_has_failpoints() -> None:
    """They are in the test build alone, where this finds them."""
    assert has_failpoints("tests/lab")
    assert not has_failpoints("agent", "drivers", "config", "systemd", "scripts", "pyproject.toml")


def has_failpoints(*places: str) -> bool:
    found = subprocess.run(
        ["grep", "-rIl", "--include=*", "--exclude-dir=__pycache__", VARIABLE, *places],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    return found.returncode == 0
