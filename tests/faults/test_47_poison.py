"""Fault 47: one record that the cloud will never take; the others flow, and it is kept visible."""

import json
from collections.abc import Callable, Iterable

import pytest

from agent.cloud import Batch
from agent.demo.sandbox import Sandbox
from tests.cloud.carrying import carry
from tests.cloud.records import batch, record
from tests.faults.clouds import http, tesaiot
from tests.faults.flaws import BLOCKS, FORGETS_REFUSED, SETS_ASIDE_WHOLE
from tests.faults.road import SOUND, Archive, Build, over_http
from tests.lab.scripted import Asked, Piece, Scripted, echo, reply

PLACES = [0, 1, 31, 62, 63]
BISECTION = 2 * 6  # two halves at each of log2(64) levels


def poisoned(at: int) -> Batch:
    records = list(batch(64).records)
    records[at] = record(at + 1, poison=1)
    return Batch(records)


def refusing(status: int) -> Callable[[Asked], Iterable[Piece]]:
    """A server that cannot take anything with a poison in it."""

    def answer(asked: Asked) -> Iterable[Piece]:
        if any("poison" in one["values"] for one in asked.json()["records"]):
            return reply(status, json.dumps({"error": {"message": "poison"}}).encode())
        return echo(asked)

    return answer


@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refused_record_is_found_by_bisection(status: int, at: int) -> None:
    async with Scripted(refusing(status)) as server, http(server.url) as cloud:
        carried = await carry(cloud, poisoned(at))
    assert carried.aside == {at + 1: "poison"}
    assert len(carried.accepted) == 63
    assert carried.refusals <= BISECTION
    assert carried.failures == 0


def among_63(status: int, build: Build) -> list[str]:
    """What is wrong after one poison among many went to a server that judges so."""
    archive = Archive()

    def answer(asked: Asked) -> Iterable[Piece]:
        records = asked.json()["records"]
        poisons = [one["values"]["n"] for one in records if "poison" in one["values"]]
        if not poisons:
            return archive(asked)
        archive.came()
        archive.judged |= {*poisons} if len(records) == 1 else set()
        return reply(status, json.dumps({"error": {"message": "poison"}}).encode())

    found: list[str] = over_http(archive, [answer] * 1000, build, poison=[40])
    if build is SOUND and archive.judged != {40}:
        found.append(f"I1: judged is {archive.judged}")
    return found


@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_a_poison_ends_in_sight_and_the_others_arrive(status: int) -> None:
    assert among_63(status, SOUND) == []


@pytest.mark.parametrize("build", [BLOCKS, SETS_ASIDE_WHOLE, FORGETS_REFUSED], ids=str)
def test_an_uplink_that_stops_gives_up_or_forgets_is_caught(build: Build) -> None:
    assert among_63(422, build) != []


@pytest.mark.parametrize("at", PLACES)
async def test_a_500_that_means_one_record_is_understood(at: int) -> None:
    async with Scripted(refusing(500)) as server, http(server.url) as cloud:
        carried = await carry(cloud, poisoned(at))
    assert carried.aside == {at + 1: "poison"}
    assert len(carried.accepted) == 63
    assert carried.failures <= 20


async def test_two_poisons_are_both_found() -> None:
    records = list(poisoned(10).records)
    records[40] = record(41, poison=2)
    async with Scripted(refusing(500)) as server, http(server.url) as cloud:
        carried = await carry(cloud, Batch(records))
    assert sorted(carried.aside) == [11, 41]
    assert len(carried.accepted) == 62


@pytest.mark.parametrize("whole", [False, True], ids=["an item's error", "a 500"])
@pytest.mark.parametrize("at", PLACES)
async def test_the_platform_breaks_on_one_record(at: int, *, whole: bool) -> None:
    async with Sandbox() as sandbox, tesaiot(sandbox) as cloud:
        sandbox.control.set(poison="oven_meter_poison", poison_all=whole)
        carried = await carry(cloud, poisoned(at))
        assert list(carried.aside) == [at + 1]
        assert len(carried.accepted) == 63
        assert sandbox.store.duplicates() == []


async def test_records_that_fail_while_the_database_is_away_are_not_blamed() -> None:
    async with Sandbox() as sandbox, tesaiot(sandbox) as cloud:
        sandbox.control.set(fail_every=2, times=1)
        carried = await carry(cloud, batch(20))
        assert carried.aside == {}
        assert len(carried.accepted) == 20
        assert sandbox.store.duplicates() == []


async def test_a_number_too_big_for_the_platform_is_left_out_and_the_rest_sent() -> None:
    sent = Batch([record(1, big=2**64, power=1.0), record(2, big=2**64)])
    async with Sandbox() as sandbox, tesaiot(sandbox) as cloud:
        carried = await carry(cloud, sent)
        assert carried.accepted == [1]
        assert "63 bits" in carried.aside[2]
        [row] = sandbox.store.telemetry("fp-demo-01", 0, 10, None)
        assert row["data"] == {"oven_meter_power": 1.0}
