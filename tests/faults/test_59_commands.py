"""Fault 59: commands: replayed, forged, for another device, a thousand a second.

This version takes no commands at all: `commands:` and `live: mqtt` cannot be switched on, so there
is no journal of ids and no expiry to test. What is proven instead is that nothing happens that was
not configured: whatever a broker sends down or a server writes into its answers, nothing is
subscribed to, written, read or applied. Only a person at the daemon's own socket can write, once
(`tests/peers/test_modbus_writes.py`), and the same eyes would see it.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from agent.prepare.compile import prepare
from tests.daemon.plant import GATEWAY, PROFILE, Site, ended
from tests.lab.brokers import PINGREQ, PUBLISH, Client, ScriptedBroker
from tests.lab.mosquitto import free_port
from tests.lab.scripted import Asked, Piece, Scripted, reply

SUBSCRIBE = 0x80
WRITES = frozenset({5, 6, 15, 16, 22, 23})  # function codes
ORDERS = 200
SITE = "bench-01"
TOPICS = (
    f"device/{SITE}/commands", f"device/{SITE}/commands/set", f"fieldpost/{SITE}/meter/set",
    "test/meter/set", f"device/{SITE}/config", f"device/{SITE}/update", "test/meter",
)  # fmt: skip
ORDER = {
    "id": "order-1", "command": "write", "verb": "write", "device": "meter", "point": "power",
    "value": 1, "config": GATEWAY, "update": {"url": "http://127.0.0.1/x.deb", "sha256": "0"},
    "expires": "2999-01-01T00:00:00Z", "signature": "A" * 86,
}  # fmt: skip
HTTP = "  broker:\n    kind: http\n    url: http://127.0.0.1:{port}/in\n    every: 100ms\n"

pytestmark = pytest.mark.timeout(60)


class Valve:
    """A slave that remembers how it was asked."""

    def __init__(self) -> None:
        self.codes: list[int] = []

    @contextlib.asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator[None]:
        words = [SimData(0, values=[1234, 230], datatype=DataType.REGISTERS)]
        server = ModbusTcpServer(
            [SimDevice(1, words, action=self._asked)], address=("127.0.0.1", port)
        )
        await server.listen()
        try:
            yield
        finally:
            await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus has no types here

    async def _asked(self, code: int, *_: object) -> None:
        self.codes.append(code)

    @property
    def written(self) -> int:
        return sum(code in WRITES for code in self.codes)


class Commander:
    """A broker that acknowledges what it gets and gives orders all the time."""

    def __init__(self) -> None:
        self.kinds: set[int] = set()
        self.publishes = 0

    async def __call__(self, client: Client) -> None:
        client.accept()
        while True:
            kind, body = await client.packet()
            self.kinds.add(kind & 0xF0)
            if kind & 0xF0 == PUBLISH:
                topic = int.from_bytes(body[:2], "big")
                client.acknowledge(int.from_bytes(body[2 + topic : 4 + topic], "big"))
                self.publishes += 1
                self._command(client)
            elif kind == PINGREQ:
                client.send(0xD0, b"")

    def _command(self, client: Client) -> None:
        order = json.dumps(ORDER | {"config": None}).encode()
        for topic in TOPICS:
            name = topic.encode()
            packet = len(name).to_bytes(2, "big") + name + b"\0" + order  # no properties, QoS 0
            length = bytes([len(packet) & 0x7F | 0x80, len(packet) >> 7])
            client.writer.write(bytes([PUBLISH]) + length + packet)


class Obliging:
    """A server whose receipts are full of orders."""

    def __init__(self) -> None:
        self.publishes = 0

    def __call__(self, asked: Asked) -> list[Piece]:
        self.publishes += 1
        document = asked.json()
        names = ("epoch", "first", "last", "count")
        receipt: dict[str, Any] = {name: document[name] for name in names}
        more = f"Location: http://127.0.0.1:1/\r\nX-Command: {json.dumps({'write': 1})}"
        body = receipt | ORDER | {"commands": [ORDER] * ORDERS}
        return reply(200, json.dumps(body).encode(), "application/json", more)


class Gateway:
    """The daemon on a valve that can be written, and everything an order could change."""

    def __init__(self, folder: Path, text: str, mqtt: int) -> None:
        self.site = Site(folder, mqtt)
        self.site.config.write_text(text.replace("502", str(self.site.modbus)))
        profile = PROFILE.replace("unit: W}", "unit: W, write: true, min: 0, max: 2000}")
        (folder / "profiles" / "test-meter.yaml").write_text(profile)
        self.valve = Valve()

    async def ordered(self, heard: Callable[[], int]) -> dict[str, object]:
        """What is different after it has heard some orders, and after a person wrote once."""
        async with self.valve.serving(self.site.modbus):
            daemon = self.site.run()
            try:
                await self.site.until(lambda s: s["devices"]["meter"]["state"] == "ok")
                before = self._facts()
                await self.site.until(lambda _: heard() >= 5)
                after = self._facts()
                await asyncio.get_running_loop().run_in_executor(None, self._write)
                by_hand = self.valve.written > 0
            finally:
                code, _ = ended(daemon)
        return {"changed": after != before, "by hand": by_hand, "exit": code}

    def _write(self) -> None:
        self.site.client.call("write", {"device": "meter", "point": "power", "value": 1})

    def _facts(self) -> tuple[object, ...]:
        configuration = self.site.snapshot()["status"]["configuration"]
        configuration.pop("applied_at", None)
        plan = (self.site.state / "config" / "plan.json").read_bytes()
        audit = self.site.client.call("audit")["lines"]
        return self.site.config.read_bytes(), plan, configuration, audit, self.valve.written


QUIET = {"changed": False, "by hand": True, "exit": 0}


async def test_orders_from_a_broker_have_no_effect_and_none_were_asked_for(tmp_path: Path) -> None:
    commander = Commander()
    async with ScriptedBroker(commander) as broker:
        text = GATEWAY.format(modbus=502, mqtt=broker.port)
        gateway = Gateway(tmp_path, text, broker.port)
        assert await gateway.ordered(lambda: commander.publishes) == QUIET
    assert SUBSCRIBE not in commander.kinds


async def test_orders_in_the_answers_of_a_server_have_no_effect(tmp_path: Path) -> None:
    obliging = Obliging()
    async with Scripted(obliging) as server:
        head = GATEWAY[: GATEWAY.index("  broker:")].format(modbus=502)
        text = f"{head}{HTTP.format(port=server.port)}status:\n  listen: none\n"
        gateway = Gateway(tmp_path, text, 1)
        assert await gateway.ordered(lambda: obliging.publishes) == QUIET


@pytest.mark.parametrize("line", ["commands: yes", "commands: on", "live: mqtt"])
@pytest.mark.parametrize("kind", ["tesaiot", "mqtt"])
def test_they_cannot_be_switched_on(line: str, kind: str, tmp_path: Path) -> None:
    needs = {"tesaiot": "bundle: secret:b.zip", "mqtt": "url: mqtts://broker.example.com"}[kind]
    site = Site(tmp_path, free_port())
    text = GATEWAY[: GATEWAY.index("  broker:")].format(modbus=502)
    site.config.write_text(f"{text}  away: {{kind: {kind}, {needs}, {line}}}\n")
    outcome = prepare(site.config, offline=True, environment={})
    name = line.partition(":")[0]
    said = [located.problem.message for located in outcome.problems]
    assert outcome.plan is None
    assert any(
        sentence in (f"'{name}' cannot be switched on in this version",
                     f"'{name}' is not a setting of 'away'")
        for sentence in said
    ), said  # fmt: skip
