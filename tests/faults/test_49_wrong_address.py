"""Fault 49: 404, 405, 410, and redirects; credentials follow nobody."""

import pytest

from agent.cloud import Misconfigured, Unreachable
from agent.demo.sandbox import Sandbox
from tests.cloud.records import batch
from tests.faults.clouds import http, tesaiot
from tests.faults.flaws import FOLLOWS, JUDGES_SILENCE
from tests.faults.road import SOUND, Archive, Build, over_http
from tests.lab.scripted import Scripted, always, echo, reply


@pytest.mark.parametrize("status", [404, 405, 410])
async def test_a_missing_address_is_told_and_refuses_no_data(status: int) -> None:
    async with Scripted(always(*reply(status, b'{"error":"Not here"}'))) as server:
        async with http(server.url) as cloud:
            with pytest.raises(Misconfigured) as caught:
                await cloud.send(batch(2))
        async with Sandbox() as sandbox, tesaiot(sandbox, url=server.url) as platform:
            with pytest.raises(Misconfigured):
                await platform.send(batch(2))
    assert "url:" in (caught.value.action or "")


async def test_a_server_that_wants_something_else_is_not_called_a_wrong_address() -> None:
    no = always(*reply(415, b'{"error":"XML only"}'))
    async with Scripted(no) as server, http(server.url) as cloud:
        with pytest.raises(Misconfigured, match=r"does not take .* \(XML only, HTTP 415\)"):
            await cloud.send(batch(2))


@pytest.mark.parametrize("build", [SOUND, JUDGES_SILENCE], ids=str)
@pytest.mark.parametrize("status", [404, 405, 410, 301, 308])
def test_what_went_to_a_wrong_address_is_kept(status: int, build: Build) -> None:
    archive = Archive()
    nobody = archive.deaf(always(*reply(status, b"", "text/html", "Location: http://127.0.0.1:9")))
    assert build.caught(over_http(archive, [nobody] * 10, build))


@pytest.mark.parametrize("build", [SOUND, FOLLOWS], ids=str)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_nothing_follows_a_redirect(status: int, build: Build) -> None:
    async with Scripted(echo) as thief:
        there = f"Location: {thief.url}/v1"
        moved = always(*reply(status, b"", "text/html", there))
        async with Scripted(moved) as server, http(server.url, **build.http) as cloud:
            try:
                await cloud.send(batch(2))
                said = ""
            except (Misconfigured, Unreachable) as error:
                said = error.message
    assert build.caught([f"I10: heard {asked.method}" for asked in thief.asked])
    assert build is not SOUND or thief.url in said


async def test_the_key_travels_in_the_header_only() -> None:
    async with Scripted(always(*reply(404))) as server, Sandbox() as sandbox:
        async with tesaiot(sandbox, url=server.url) as cloud:
            with pytest.raises(Misconfigured):
                await cloud.send(batch(2))
        key = sandbox.store.devices["fp-demo-01"].api_key
    [asked] = server.asked
    assert asked.headers["x-api-key"] == key
    assert key not in asked.path
