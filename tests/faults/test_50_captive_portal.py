"""Fault 50: answers that look like success and are none."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from agent.cloud import Cloud, Unreachable
from agent.demo.sandbox import Sandbox
from agent.demo.sandbox.trouble import PORTAL
from tests.cloud.records import EPOCH, batch
from tests.faults.clouds import http, tesaiot
from tests.faults.flaws import ANY_2XX, SETTLES_WHOLE
from tests.faults.road import COUNT, SOUND, Archive, Build, over_http
from tests.lab.scripted import Answer, Asked, Piece, Scripted, always, echo, reply

NO_RECEIPTS: dict[str, Answer] = {
    "a portal": always(*reply(200, PORTAL, "text/html")),
    "a portal that says it is JSON": always(*reply(200, PORTAL)),
    "nothing": always(*reply(200)),
    "204": always(*reply(204)),
    "a word": always(*reply(200, b'"ok"')),
    "success, and nothing named": always(*reply(200, b'{"success":true}')),
    "another epoch": lambda asked: echo(asked, epoch="0" * 32),
    "another count": lambda asked: echo(asked, count=1),
    "another range": lambda asked: echo(asked, last=9),
    "half of a receipt": always(*reply(200, b'{"epoch":"' + EPOCH.encode() + b'","fir')),
}


@pytest.mark.parametrize("answer", NO_RECEIPTS.values(), ids=NO_RECEIPTS)
async def test_only_an_echo_is_a_receipt(answer: Answer) -> None:
    async with Scripted(answer) as server, http(server.url) as cloud:
        with pytest.raises(Unreachable, match="not with a receipt"):
            await cloud.send(batch(3))


async def test_a_web_page_is_called_one() -> None:
    async with Scripted(NO_RECEIPTS["a portal"]) as server, http(server.url) as cloud:
        with pytest.raises(Unreachable, match="answers with a web page") as caught:
            await cloud.send(batch(3))
    assert "login" in (caught.value.action or "")


@pytest.mark.parametrize("build", [SOUND, ANY_2XX], ids=str)
@pytest.mark.parametrize("answer", NO_RECEIPTS.values(), ids=NO_RECEIPTS)
def test_what_a_portal_said_yes_to_goes_to_the_server_later(answer: Answer, build: Build) -> None:
    archive = Archive()
    assert build.caught(over_http(archive, [archive.deaf(answer)] * 3, build))


@pytest.mark.parametrize("build", [SOUND, SETTLES_WHOLE], ids=str)
def test_what_a_partial_answer_does_not_name_goes_again(build: Build) -> None:
    archive = Archive()

    def half(asked: Asked) -> Iterable[Piece]:
        through = asked.json()["first"] + COUNT // 2
        archive.answered |= archive.hold(asked, through)
        return reply(
            200, json.dumps({"epoch": asked.json()["epoch"], "accepted_through": through}).encode()
        )

    assert build.caught(over_http(archive, [half], build))


async def test_a_partial_echo_settles_its_part_and_never_more_than_was_sent() -> None:
    for through, expected in ((2, [0, 1]), (10_000, [0, 1, 2]), (0, [])):
        body = json.dumps({"epoch": EPOCH, "accepted_through": through}).encode()
        async with Scripted(always(*reply(200, body))) as server, http(server.url) as cloud:
            receipt = await cloud.send(batch(3))
        assert sorted(receipt.accepted) == expected


async def test_where_the_status_is_the_receipt_any_2xx_will_do() -> None:
    answer = always(*reply(204))
    async with Scripted(answer) as server, http(server.url, receipt="status") as cloud:
        receipt = await cloud.send(batch(3))
    assert sorted(receipt.accepted) == [0, 1, 2]


async def test_a_portal_before_the_platform_is_not_heard() -> None:
    async with Sandbox() as sandbox, tesaiot(sandbox) as cloud:
        sandbox.control.set(portal=True, times=1)
        with pytest.raises(Unreachable, match="not with a receipt"):
            await cloud.send(batch(3))
        assert len((await cloud.send(batch(3))).accepted) == 3


def results(**changed: Any) -> bytes:
    ids = [{"index": index, "telemetry_id": "x", "timeseries_stored": True} for index in range(3)]
    good = {"total": 3, "successful": 3, "failed": 0, "errors": [], "telemetry_ids": ids}
    return json.dumps({"success": True, "results": good | changed}).encode()


@asynccontextmanager
async def platform(body: bytes) -> AsyncIterator[Cloud]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(Scripted(always(*reply(200, body))))
        sandbox = await stack.enter_async_context(Sandbox())
        yield await stack.enter_async_context(tesaiot(sandbox, url=server.url))


LIES = {
    "another total": results(total=4),
    "an index twice": results(errors=[{"index": 0, "error": "Validation error: x"}]),
    "an index that was not sent": results(telemetry_ids=[{"index": 7}]),
    "an index that is none": results(telemetry_ids=[{"index": "0"}]),
    "no results": b'{"success":true}',
    "a list": b"[]",
}


@pytest.mark.parametrize("body", LIES.values(), ids=LIES)
async def test_results_that_do_not_add_up_are_not_heard(body: bytes) -> None:
    async with platform(body) as cloud:
        with pytest.raises(Unreachable, match="not with a receipt"):
            await cloud.send(batch(3))


async def test_an_index_in_neither_list_is_unanswered() -> None:
    body = results(telemetry_ids=[{"index": 0}, {"index": 2, "timeseries_stored": False}])
    async with platform(body) as cloud:
        receipt = await cloud.send(batch(3))
    assert sorted(receipt.accepted) == [0, 2]
    assert receipt.refused == {}
    assert receipt.partly == 1
