"""Each kind of destination with a real peer behind it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from agent.cloud import Cloud
from agent.cloud.http.destination import Plan as HttpPlan
from agent.cloud.http.destination import open_cloud as open_http
from agent.cloud.mqtt.destination import Plan as MqttPlan
from agent.cloud.mqtt.destination import open_cloud as open_mqtt
from agent.cloud.tesaiot.account import Pace
from agent.cloud.tesaiot.destination import made
from agent.cloud.tesaiot.opening import Plan as TesaiotPlan
from agent.cloud.tls import Trust
from agent.demo.sandbox import Authority, Sandbox
from agent.plan import to_json
from agent.secret import Secret
from tests.lab.mosquitto import Broker, Reader
from tests.lab.proxy import Proxy

GATEWAY = "ES-0231"
README = Path(__file__).parent.parent.parent / "agent" / "cloud" / "mqtt" / "README.md"


class Peer(Protocol):
    """The far end of a destination, as tests see it."""

    cloud: Cloud
    proxy: Proxy

    async def arrived(self, count: int) -> list[tuple[str, str, dict[str, Any]]]:
        """(epoch:seq, device, values) of all that arrived, once it is `count` or more."""
        ...


@dataclass(slots=True)
class SandboxPeer:
    cloud: Cloud
    proxy: Proxy
    sandbox: Sandbox

    async def arrived(self, count: int) -> list[tuple[str, str, dict[str, Any]]]:
        assert self.sandbox.store.count() >= count
        found = []
        for device in self.sandbox.store.devices:
            for row in self.sandbox.store.telemetry(device, 0, 10_000, None):
                name = f"{row['metadata']['epoch']}:{row['metadata']['seq']}"
                found.append((name, device, row["data"]))
        return found


@dataclass(slots=True)
class BrokerPeer:
    cloud: Cloud
    proxy: Proxy
    reader: Reader

    async def arrived(self, count: int) -> list[tuple[str, str, dict[str, Any]]]:
        read = readme_reader()
        announced: dict[str, list[str]] = {}
        found: list[tuple[str, str, dict[str, Any]]] = []
        async with asyncio.timeout(20):
            while len(found) < count:
                topic, payload, _ = await self.reader.message()
                if "/points/" in topic:
                    announced |= {topic.rpartition("/")[2]: loads(payload)["points"]}
                    continue
                for name, device, _, values in read(payload, announced):
                    found.append((name.removeprefix(f"{GATEWAY}:"), device, values))
        return found


def loads(payload: bytes) -> Any:
    import json  # noqa: PLC0415 -- beside the reader of the README

    return json.loads(payload)


def readme_reader() -> Callable[..., Any]:
    """The reader that the README shows, as somebody would copy it."""
    text = README.read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    room: dict[str, Any] = {}
    exec(code[1], room)  # noqa: S102 -- our own documentation, under test
    reader: Callable[..., Any] = room["samples"]
    return reader


@asynccontextmanager
async def tesaiot_key(_folder: Path) -> AsyncIterator[Peer]:
    async with Sandbox() as sandbox, Proxy(port_of(sandbox.url)) as proxy:
        plan = TesaiotPlan("b", url=f"https://127.0.0.1:{proxy.port}")
        secrets = {"b": Secret("b", sandbox.bundle("fp-demo-01"))}
        yield SandboxPeer(made(plan, secrets, Pace(0.0)), proxy, sandbox)


@asynccontextmanager
async def tesaiot_certificate(_folder: Path) -> AsyncIterator[Peer]:
    async with Sandbox() as sandbox, Proxy(port_of(sandbox.certificate_url)) as proxy:
        plan = TesaiotPlan("b", certificate_url=f"https://127.0.0.1:{proxy.port}")
        secrets = {"b": Secret("b", sandbox.certificate_bundle("fp-demo-01"))}
        yield SandboxPeer(made(plan, secrets, Pace(0.0)), proxy, sandbox)


@asynccontextmanager
async def http(_folder: Path) -> AsyncIterator[Peer]:
    async with Sandbox() as sandbox, Proxy(port_of(sandbox.url)) as proxy:
        url = f"https://127.0.0.1:{proxy.port}/v1/measurements"
        plan = HttpPlan(url, token="t", trust=Trust(ca_secret="ca"), compress=True)  # noqa: S106 -- a name
        secrets = {"t": Secret("t", sandbox.archive_token.encode()), "ca": Secret("ca", sandbox.ca)}
        yield SandboxPeer(open_http(GATEWAY, to_json(plan), secrets), proxy, sandbox)


@asynccontextmanager
async def mqtt_5(folder: Path) -> AsyncIterator[Peer]:
    """Mutual TLS, as a plant's broker asks for it."""
    authority = Authority()
    pair, own = authority.server(("localhost", "127.0.0.1")), authority.client(GATEWAY)
    for name, content in (
        ("ca.pem", authority.pem), ("cert.pem", pair.certificate), ("key.pem", pair.private_key),
        ("own.pem", own.certificate), ("own.key", own.private_key),
    ):  # fmt: skip
        (folder / name).write_bytes(content)
    lines = [
        f"cafile {folder}/ca.pem", f"certfile {folder}/cert.pem", f"keyfile {folder}/key.pem",
        "require_certificate true", "use_identity_as_username true", "allow_anonymous false",
    ]  # fmt: skip
    more = [
        "--cafile", f"{folder}/ca.pem", "--cert", f"{folder}/own.pem",
        "--key", f"{folder}/own.key", "-h", "localhost",
    ]  # fmt: skip
    trust = Trust(ca_secret="ca", certificate="c", private_key="k")  # noqa: S106 -- names
    secrets = {
        "ca": Secret("ca", authority.pem), "c": Secret("c", own.certificate),
        "k": Secret("k", own.private_key),
    }  # fmt: skip
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(folder, lines))
        reader = await stack.enter_async_context(Reader(broker.port, "#", *more))
        proxy = await stack.enter_async_context(Proxy(broker.port))
        plan = mqtt_plan(proxy.port, encrypted=True, trust=trust)
        yield BrokerPeer(open_mqtt(GATEWAY, to_json(plan), secrets), proxy, reader)


@asynccontextmanager
async def mqtt_3(folder: Path) -> AsyncIterator[Peer]:
    """The old protocol, unencrypted on this machine, names in each message."""
    async with Broker(folder) as broker, Reader(broker.port) as reader, Proxy(broker.port) as proxy:
        plan = mqtt_plan(proxy.port, version="3.1.1", names="each")
        yield BrokerPeer(open_mqtt(GATEWAY, to_json(plan), {}), proxy, reader)


KINDS = (tesaiot_key, tesaiot_certificate, http, mqtt_5, mqtt_3)


def mqtt_plan(port: int, **more: Any) -> MqttPlan:
    given: dict[str, Any] = {
        "encrypted": False,
        "client_id": GATEWAY,
        "topic": f"fieldpost/{GATEWAY}/{{device}}",
    }
    return MqttPlan("127.0.0.1", port, **(given | more))


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__.replace("_", "-"))
async def peer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Peer]:
    async with request.param(tmp_path) as found:
        yield found
        await found.cloud.aclose()
