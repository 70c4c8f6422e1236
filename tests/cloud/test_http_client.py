"""The one HTTP client: names, proxies, connections."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.cloud import Misconfigured, Unreachable
from agent.cloud.http.client import HttpClient, Post
from agent.cloud.http.destination import Plan as HttpPlan
from agent.cloud.http.destination import open_cloud
from agent.cloud.tesaiot.account import Pace
from agent.cloud.tesaiot.destination import made
from agent.cloud.tesaiot.opening import Plan
from agent.cloud.tls import context
from agent.demo.sandbox import Sandbox
from agent.plan import to_json
from agent.secret import Secret, SecretError
from tests.cloud.records import batch
from tests.lab.proxy import Proxy
from tests.lab.scripted import Scripted, always, reply


@pytest.fixture
async def named() -> AsyncIterator[Sandbox]:
    """A platform whose certificate knows only its name, not its address."""
    async with Sandbox(names=("platform.example",)) as sandbox:
        yield sandbox


async def test_a_server_name_makes_a_lan_address_usable(named: Sandbox) -> None:
    secrets = {"b": Secret("b", named.bundle("fp-demo-01"))}
    by_address = made(Plan("b"), secrets, Pace(0.0))
    with pytest.raises(Misconfigured, match="for another name"):
        await by_address.send(batch(1))
    await by_address.aclose()
    by_name = made(Plan("b", server_name="platform.example"), secrets, Pace(0.0))
    assert len((await by_name.send(batch(1))).accepted) == 1
    await by_name.aclose()


async def test_the_name_stands_in_the_host_header() -> None:
    async with Scripted(always(*reply(200, b"{}"))) as server:
        client = HttpClient(server.url, context(), "platform.example")
        await client.send(Post("/x"))
        await client.aclose()
    assert server.asked[0].headers["host"] == "platform.example"


async def test_one_connection_serves_many_requests() -> None:
    async with Sandbox() as sandbox, Proxy(int(sandbox.url.rpartition(":")[2])) as proxy:
        tls = context([sandbox.ca])
        client = HttpClient(f"https://127.0.0.1:{proxy.port}", tls)
        for _ in range(5):
            answer = await client.send(Post("/api/v1/health", method="GET"))
            assert answer.status == 200
        await client.aclose()
        assert proxy.connections == 1


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Scripted(always(*reply(200, b'{"way":"proxy"}'))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        client = HttpClient("http://elsewhere.invalid/v1", context())
        answer = await client.send(Post(""))
        await client.aclose()
        assert answer.json() == {"way": "proxy"}
        monkeypatch.setenv("no_proxy", "elsewhere.invalid")
        direct = HttpClient("http://elsewhere.invalid/v1", context())
        with pytest.raises(Unreachable):
            await direct.send(Post(""))
        await direct.aclose()


async def test_the_deadline_covers_everything() -> None:
    async with Scripted(lambda _: [60.0]) as server:
        client = HttpClient(server.url, context())
        async with asyncio.timeout(20):
            with pytest.raises(Unreachable, match="within 0 s"):
                await client.send(Post("", deadline_s=0.3))
        await client.aclose()


@pytest.mark.parametrize("token", ["", "two\nlines", "läuft"])
def test_a_token_that_cannot_be_sent_is_told_before(token: str) -> None:
    plan = HttpPlan("https://h", token="t")  # noqa: S106 -- a name
    with pytest.raises(SecretError, match="no token"):
        open_cloud("gw", to_json(plan), {"t": Secret("t", token.encode())})


async def test_a_request_that_cannot_be_sent_shows_nothing_of_it() -> None:
    headers = (("X-API-KEY", "FAKEnotASecret\n"),)
    async with Scripted(always(*reply(200))) as server:
        client = HttpClient(server.url, context())
        with pytest.raises(Misconfigured) as caught:
            await client.send(Post("", headers=headers))
        await client.aclose()
    assert "FAKE" not in caught.value.message


def test_nothing_but_the_http_room_knows_httpx() -> None:
    room = Path(__file__).parents[2] / "agent"
    users = {
        str(path.relative_to(room))
        for path in room.rglob("*.py")
        if "import httpx" in path.read_text(encoding="utf-8")
    }
    assert users == {"cloud/http/client.py"}
