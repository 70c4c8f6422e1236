"""Fault 45: 500, 502, 503, 504 for a while; nothing is judged, nothing is lost."""

import pytest

from agent.demo.sandbox import Body, Sandbox
from tests.cloud.carrying import carry
from tests.cloud.records import batch
from tests.faults.clouds import http, tesaiot
from tests.lab.scripted import Scripted, always, echo, in_turn, reply

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
async def test_a_storm_sets_nothing_aside_anywhere(status: int) -> None:
    storm = [always(*reply(status, b'{"error":"storm"}'))] * 12
    async with Scripted(in_turn([*storm, echo])) as server, http(server.url) as cloud:
        carried = await carry(cloud, batch(50))
    assert carried.aside == {}
    assert sorted(carried.accepted) == list(range(1, 51))


async def test_an_outage_that_begins_while_a_culprit_is_looked_for_blames_nobody() -> None:
    outage = always(*reply(500, b'{"error":"storm"}'))
    script = [outage] * 4 + [echo] + [outage] * 3 + [echo]
    async with Scripted(in_turn(script)) as server, http(server.url) as cloud:
        carried = await carry(cloud, batch(8))
    assert carried.aside == {}
    assert sorted(carried.accepted) == list(range(1, 9))
