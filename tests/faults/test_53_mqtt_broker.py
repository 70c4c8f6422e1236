"""Fault 53: brokers that restart, forget, never answer, are full, or have two of us."""

import asyncio
import contextlib
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from agent.cloud import Batch, Misconfigured, Receipt, Unauthorized, Unreachable
from agent.cloud.mqtt.destination import MqttCloud
from agent.cloud.mqtt.link import Link, Session
from tests.cloud.conftest import GATEWAY
from tests.cloud.records import batch
from tests.faults.clouds import mqtt
from tests.faults.flaws import SENT_IS_ENOUGH
from tests.faults.road import SOUND, Archive, Build, Identity, road
from tests.lab.brokers import Client, ScriptedBroker, publishes
from tests.lab.mosquitto import Broker, Reader
from tests.lab.proxy import Proxy

RECEIVE_MAXIMUM_1 = b"\x21\x00\x01"
QUOTA_EXCEEDED, INVALID_PAYLOAD = 0x97, 0x99


async def test_a_broker_that_dies_is_found_again(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, mqtt(broker.port) as cloud:
        await cloud.send(batch(2))
        await broker.kill()
        await asyncio.sleep(0.2)
        with pytest.raises(Unreachable):
            await cloud.send(batch(2, first=3))
        await broker.start()
        receipt = await cloud.send(batch(2, first=3))
        assert sorted(receipt.accepted) == [0, 1]


@pytest.mark.parametrize("build", [SOUND, SENT_IS_ENOUGH], ids=str)
@pytest.mark.parametrize("kept", [False, True], ids=["and lost", "and kept"])
async def test_what_is_never_acknowledged_goes_again(build: Build, *, kept: bool) -> None:
    archive = Archive()
    lives: list[Client] = []

    async def silent_at_first(client: Client) -> None:
        client.accept()
        lives.append(client)
        mute = len(lives) == 1
        while True:
            packet_id, body = await publishes(client)
            if kept or not mute:
                held = receives(archive, body)
                archive.answered |= set() if mute else held
            if not mute:
                client.acknowledge(packet_id)

    async with (
        ScriptedBroker(silent_at_first) as broker,
        mqtt(broker.port, answer_s=2.0, payload="samples", compress="") as cloud,
        road(cloud, archive, build) as way,
    ):
        await way.put(20)
        await way.through(30)
        found = await way.judge()
    assert found == [] if kept and build is not SOUND else build.caught(found)


def receives(archive: Archive, body: bytes) -> set[Identity]:
    """Hold what a message carries."""
    document = json.loads(body[body.index(b"{") :])
    return {
        archive.take(document["epoch"], one["seq"], one["values"]) for one in document["samples"]
    }


async def test_a_message_that_is_acknowledged_twice_is_delivered_once() -> None:
    async def twice(client: Client) -> None:
        client.accept()
        while True:
            packet_id, _ = await publishes(client)
            client.acknowledge(packet_id)
            client.acknowledge(packet_id)
            client.acknowledge(packet_id + 100)

    async with ScriptedBroker(twice) as broker, mqtt(broker.port) as cloud:
        for first in (1, 3):
            assert sorted((await cloud.send(batch(2, first=first))).accepted) == [0, 1]


async def test_a_broker_that_is_full_keeps_us_waiting() -> None:
    async def full(client: Client) -> None:
        client.accept()
        while True:
            packet_id, body = await publishes(client)
            client.acknowledge(packet_id, 0 if b"points/" in body else QUOTA_EXCEEDED)

    async with ScriptedBroker(full) as broker, mqtt(broker.port) as cloud:
        with pytest.raises(Unreachable, match="takes no messages"):
            await cloud.send(batch(2))


async def test_a_payload_that_is_judged_invalid_is_set_aside() -> None:
    async def strict(client: Client) -> None:
        client.accept()
        while True:
            packet_id, body = await publishes(client)
            client.acknowledge(packet_id, INVALID_PAYLOAD if b"seq" in body else 0)

    async with (
        ScriptedBroker(strict) as broker,
        mqtt(broker.port, payload="samples", compress="") as cloud,
    ):
        receipt = await cloud.send(batch(2))
    assert sorted(receipt.refused) == [0, 1]


class Overtakes(MqttCloud):
    """Heeds neither the receive maximum nor the largest packet."""

    async def _publish(self, link: Link, batch: Batch) -> Receipt:
        self._session = link._session = Session(present=True)  # noqa: SLF001 - a bad build
        return await super()._publish(link, batch)


class Fights(MqttCloud):
    """Takes its name back whenever somebody else has it."""

    async def _bury(self, _: Link) -> None:
        self._link = None


async def test_no_more_is_in_flight_than_the_broker_takes() -> None:
    assert await delivered_one_at_a_time(MqttCloud) == [0, 1, 2, 3]


async def test_more_in_flight_than_the_broker_takes_is_caught() -> None:
    with pytest.raises(Unreachable):
        await delivered_one_at_a_time(Overtakes)


async def delivered_one_at_a_time(kind: type[MqttCloud]) -> list[int]:
    """What is accepted by a broker that hangs up on a second message before its PUBACK."""

    async def one_at_a_time(client: Client) -> None:
        client.accept(RECEIVE_MAXIMUM_1)
        while True:
            packet_id, _ = await publishes(client)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await publishes(client)
                    return
            client.acknowledge(packet_id)

    async with ScriptedBroker(one_at_a_time) as broker, mqtt(broker.port, made_of=kind) as cloud:
        sent = batch(4)
        renamed = [
            type(one)(one.epoch, one.seq, f"d{one.seq}", one.time_ns, one.values)
            for one in sent.records
        ]
        receipt = await cloud.send(type(sent)(renamed))
    return sorted(receipt.accepted)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_two_of_the_same_name_do_not_fight(tmp_path: Path, version: str) -> None:
    told = await under_one_name(tmp_path, MqttCloud, version)
    assert told
    assert f"'{GATEWAY}'" in told[0].message
    assert "client_id" in (told[0].action or "")


async def test_two_that_fight_are_caught(tmp_path: Path) -> None:
    assert await under_one_name(tmp_path, Fights, "5") == []


async def under_one_name(folder: Path, kind: type[MqttCloud], version: str) -> list[Misconfigured]:
    """What two gateways of one name say while they send in turn."""
    told: list[Misconfigured] = []
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(folder))
        both = [
            await stack.enter_async_context(mqtt(broker.port, version=version, made_of=kind))
            for _ in range(2)
        ]
        for first in range(1, 12, 2):
            told += [error for cloud in both if (error := await conflict(cloud, first))]
    return told


async def conflict(cloud: MqttCloud, first: int) -> Misconfigured | None:
    await asyncio.sleep(0.02)
    try:
        await cloud.send(batch(2, first=first))
    except Misconfigured as error:
        return error
    except Unreachable:
        return None
    return None


async def test_a_topic_that_is_not_allowed_is_named(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic readwrite elsewhere/#\n")
    lines = ["allow_anonymous true", f"acl_file {tmp_path}/acl"]
    async with Broker(tmp_path, lines) as broker, mqtt(broker.port) as cloud:
        with pytest.raises(Unauthorized, match=f"fieldpost/{GATEWAY}/oven-meter"):
            await cloud.send(batch(2))


async def test_where_announcements_are_not_allowed_each_message_names_its_points(
    tmp_path: Path,
) -> None:
    (tmp_path / "acl").write_text("topic write fieldpost/+/+\ntopic read #\n")
    lines = ["allow_anonymous true", f"acl_file {tmp_path}/acl"]
    async with (
        Broker(tmp_path, lines) as broker,
        Reader(broker.port) as reader,
        mqtt(broker.port, compress="") as cloud,
    ):
        receipt = await cloud.send(batch(2))
        _, payload, _ = await reader.message()
    assert sorted(receipt.accepted) == [0, 1]
    assert b'"points":["power"' in payload


async def test_a_broker_of_the_old_protocol_is_understood() -> None:
    async def old(client: Client) -> None:
        if client.level != 4:
            client.send(0x20, b"\x00\x01")  # 3.1.1: unacceptable protocol version
            return
        client.accept()
        while True:
            packet_id, _ = await publishes(client)
            client.acknowledge(packet_id)

    async with ScriptedBroker(old) as broker, mqtt(broker.port) as cloud:
        with pytest.raises(Unreachable):
            await cloud.send(batch(2))
        assert len((await cloud.send(batch(2))).accepted) == 2
    assert [client.level for client in broker.clients] == [5, 4]


async def test_a_broker_that_hangs_up_on_the_new_protocol_is_tried_with_the_old() -> None:
    async def hangs_up(client: Client) -> None:
        if client.level == 4:
            client.accept()
            packet_id, _ = await publishes(client)
            client.acknowledge(packet_id)
            packet_id, _ = await publishes(client)
            client.acknowledge(packet_id)

    async with ScriptedBroker(hangs_up) as broker, mqtt(broker.port) as cloud:
        with pytest.raises(Unreachable):
            await cloud.send(batch(2))
        assert len((await cloud.send(batch(2))).accepted) == 2


async def test_a_thread_that_dies_ends_as_a_failed_request() -> None:
    """Rubbish after CONNACK: paho gives up; we notice and connect again."""

    async def rubbish(client: Client) -> None:
        client.accept()
        await publishes(client)
        client.writer.write(b"\x00\x00\xff\xff\xff\xff\xff\xff")
        await asyncio.sleep(1)

    async with ScriptedBroker(rubbish) as broker, mqtt(broker.port) as cloud:
        for _ in range(2):
            with pytest.raises(Unreachable):
                await cloud.send(batch(2))
    assert len(broker.clients) == 2


async def test_the_last_will_says_that_we_have_gone(tmp_path: Path) -> None:
    async with (
        Broker(tmp_path) as broker,
        Reader(broker.port, "state/#") as reader,
        Proxy(broker.port) as proxy,
        mqtt(proxy.port, status_topic="state/gw") as cloud,
    ):
        await cloud.send(batch(1))
        assert (await reader.message())[1] == b'{"status":"online"}'
        proxy.cut()
        assert (await reader.message())[1] == b'{"status":"offline"}'
