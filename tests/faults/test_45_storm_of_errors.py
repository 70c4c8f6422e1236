"""Fault 45: 500, 502, 503, 504 for a while; nothing is judged, nothing is lost."""

import asyncio
from collections.abc import Iterable

import pytest

from agent.demo.sandbox import Body, Sandbox
from tests.cloud.carrying import carry
from tests.cloud.records import batch
from tests.faults.clouds import http, tesaiot
from tests.faults.flaws import DROPS, HAMMERS, JUDGES_SILENCE
from tests.faults.road import HOUR_S, SOUND, Archive, Build, over_http
from tests.lab.scripted import Asked, Piece, Scripted, always, echo, in_turn, reply

STORM_S = 2 * HOUR_S
LATEST_S = 15 * 60.0
REQUESTS_MAX = 100  # ten while the pauses double, one in two and a half minutes afterwards
STORM = [
    (500, Body.JSON), (500, Body.HTML), (502, Body.HTML), (503, Body.TEXT), (503, Body.JSON),
    (504, Body.HTML),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body"), STORM)
async def test_a_storm_sets_nothing_aside_on_the_platform(status: int, body: Body) -> None:
    async with Sandbox() as sandbox, tesaiot(sandbox) as cloud:
        sandbox.control.set(status=status, body=body, times=12)
        carried = await carry(cloud, batch(50))
        assert carried.aside == {}
        assert sorted(carried.accepted) == list(range(1, 51))
        assert sandbox.store.duplicates() == []


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520])
def test_a_storm_costs_neither_data_nor_its_server(status: int) -> None:
    assert after_two_hours(status, SOUND) == []


@pytest.mark.parametrize("build", [DROPS, HAMMERS, JUDGES_SILENCE], ids=str)
def test_an_uplink_that_drops_hammers_or_judges_is_caught(build: Build) -> None:
    assert after_two_hours(503, build) != []


def after_two_hours(status: int, build: Build) -> list[str]:
    """What is wrong once a storm is over; the server was asked ever less, and is found again."""
    archive = Archive()

    def storm(asked: Asked) -> Iterable[Piece]:
        if asyncio.get_running_loop().time() > STORM_S:
            return archive(asked)
        archive.came()
        return reply(status, b'{"error":"storm"}')

    found: list[str] = over_http(archive, [storm] * 10_000, build, patience_s=STORM_S + LATEST_S)
    if (requests := len(archive.asked_s)) > REQUESTS_MAX:
        found.append(f"I6: {requests} requests")
    return found


async def test_an_outage_that_begins_while_a_culprit_is_looked_for_blames_nobody() -> None:
    outage = always(*reply(500, b'{"error":"storm"}'))
    script = [outage] * 4 + [echo] + [outage] * 3 + [echo]
    async with Scripted(in_turn(script)) as server, http(server.url) as cloud:
        carried = await carry(cloud, batch(8))
    assert carried.aside == {}
    assert sorted(carried.accepted) == list(range(1, 9))
