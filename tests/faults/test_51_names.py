"""Fault 51: names that do not resolve, addresses where nobody is, and a resolver that hangs."""

import asyncio
import dataclasses
import socket

import pytest

from agent.cloud import Unreachable
from agent.cloud.mqtt.destination import MqttCloud, options_of
from tests.cloud.conftest import mqtt_plan
from tests.cloud.records import batch
from tests.faults.clouds import http
from tests.lab.mosquitto import free_port
from tests.lab.scripted import Scripted, echo

NOWHERE = "no-such-host.invalid"  # RFC 6761: never resolves


async def test_a_name_that_does_not_exist_is_told() -> None:
    async with http(f"https://{NOWHERE}/v1", deadline_s=5) as cloud:
        with pytest.raises(Unreachable, match=NOWHERE):
            await cloud.send(batch(1))
    plan = dataclasses.replace(mqtt_plan(1), host=NOWHERE)
    broker = MqttCloud("gw", plan, options_of(plan, {}))
    with pytest.raises(Unreachable, match=NOWHERE):
        await broker.send(batch(1))
    await broker.aclose()


async def test_a_name_with_a_dead_first_address_is_reached_by_the_next() -> None:
    """`localhost` is ::1 and 127.0.0.1; only the second answers."""
    async with Scripted(echo) as server, http(f"http://localhost:{server.port}") as cloud:
        assert len((await cloud.send(batch(2))).accepted) == 2


async def test_nobody_there_is_told_at_once() -> None:
    async with http(f"http://127.0.0.1:{free_port()}") as cloud:
        with pytest.raises(Unreachable, match="refused"):
            await cloud.send(batch(1))


async def test_a_port_that_accepts_and_says_nothing_ends_by_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"https://127.0.0.1:{port}"
        async with asyncio.timeout(3), http(url, deadline_s=0.5) as cloud:
            with pytest.raises(Unreachable, match="does not answer in time"):
                await cloud.send(batch(1))
