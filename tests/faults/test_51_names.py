"""Fault 51: names that do not resolve, addresses where nobody is, and a resolver that hangs."""

import asyncio
import dataclasses
import json
import socket

import pytest

from agent.cloud import Unreachable
from agent.cloud.mqtt.destination import MqttCloud, options_of
from tests.cloud.conftest import mqtt_plan
from tests.cloud.records import batch
from tests.faults.clouds import http
from tests.faults.resolving import ANSWERING, DEADLINE_S, HANGING
from tests.lab.mosquitto import free_port
from tests.lab.names import run_named
from tests.lab.scripted import Scripted, echo

AT_ONCE_S = 3.0  # a dead first address costs a quarter of a second, two names that hang four
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


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("own_network")
@pytest.mark.parametrize("kind", ["sound", "blocking"])
def test_a_resolver_that_hangs_holds_up_nobody_but_those_who_ask_it(kind: str) -> None:
    told = json.loads(run_named("tests.faults.resolving", kind))
    late = [name for name in ANSWERING if told[name][0] > AT_ONCE_S]
    assert bool(late) is (kind == "blocking")
    if kind == "sound":
        assert all(said and took < DEADLINE_S + 10 for took, said in map(told.get, HANGING))
        assert told["good.test"][1] == told["half.test"][1] == ""
        assert "gone.test" in told["gone.test"][1]


async def test_a_port_that_accepts_and_says_nothing_ends_by_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"https://127.0.0.1:{port}"
        async with asyncio.timeout(20), http(url, deadline_s=0.5) as cloud:
            with pytest.raises(Unreachable, match="does not answer in time"):
                await cloud.send(batch(1))
