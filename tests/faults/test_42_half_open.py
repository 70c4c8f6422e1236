"""Fault 42: the peer vanishes without a word; what was "sent" into the void is not delivered."""

import asyncio
import contextlib
import dataclasses
import os
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from agent.cloud import Cloud, Unreachable
from agent.cloud.http.client import HttpClient
from agent.cloud.mqtt.destination import MqttCloud, options_of
from tests.cloud.conftest import GATEWAY, mqtt_plan
from tests.cloud.records import batch
from tests.faults.clouds import http, mqtt
from tests.faults.flaws import DROPS, SENT_IS_ENOUGH, Patient
from tests.faults.road import DEADLINE_S, SOUND, Archive, Build, road
from tests.lab import vanish
from tests.lab.hurry import hurried
from tests.lab.mosquitto import PROGRAM, Broker
from tests.lab.proxy import Proxy
from tests.lab.scripted import Scripted

PATIENT_S = 60.0  # our own deadlines, far beyond what the kernel is told to wait
NOTICED_S = 30.0
SILENT_S = 1800.0


async def test_a_peer_that_stops_answering_settles_nothing(tmp_path: Path) -> None:
    async with (
        Broker(tmp_path) as broker,
        Proxy(broker.port) as proxy,
        mqtt(proxy.port, answer_s=2.0) as cloud,
    ):
        await cloud.send(batch(1))
        proxy.silent = True
        with pytest.raises(Unreachable, match="not answered"):
            await cloud.send(batch(2, first=2))
        proxy.silent = False
        assert len((await cloud.send(batch(2, first=2))).accepted) == 2


@pytest.mark.parametrize("build", [SOUND, SENT_IS_ENOUGH, DROPS], ids=str)
def test_what_went_into_the_void_goes_again_when_somebody_is_there(build: Build) -> None:
    async def work() -> list[str]:
        archive = Archive()
        async with (
            Scripted(archive) as server,
            Proxy(server.port) as proxy,
            http(f"http://127.0.0.1:{proxy.port}", deadline_s=DEADLINE_S) as cloud,
            road(cloud, archive, build) as way,
        ):
            await way.put(20)
            await way.through()
            proxy.silent = True
            await way.put(40)
            await asyncio.sleep(SILENT_S)
            proxy.silent = False
            await way.through()
            return await way.judge()

    assert build.caught(hurried(work()))


@pytest.mark.slow
@pytest.mark.timeout(90)
@pytest.mark.skipif(bool(vanish.MISSING) and "CI" not in os.environ, reason=str(vanish.MISSING))
async def test_the_kernel_notices_a_vanished_peer_before_our_own_deadline(tmp_path: Path) -> None:
    """Without TCP_USER_TIMEOUT nothing is noticed for minutes: two that go without it wait on."""
    (tmp_path / "m.conf").write_text(
        f"listener 1883 {vanish.FAR}\nallow_anonymous true\nuser root\n"
    )
    broker = [PROGRAM, "-c", str(tmp_path / "m.conf")]
    url = f"http://{vanish.FAR}:8080"
    async with AsyncExitStack() as stack:
        peers = stack.enter_context(vanish.Vanishing(broker, vanish.http_server(8080)))
        await asyncio.sleep(1)
        ours, patient = (http(url, deadline_s=PATIENT_S, made_of=k) for k in (HttpClient, Patient))
        sound = [far_broker("sound"), await stack.enter_async_context(ours)]
        deaf = [far_broker("patient"), await stack.enter_async_context(patient)]
        for cloud in (*sound, *deaf):
            await cloud.send(batch(1))
        never_minds(deaf[0])
        peers.vanish()
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(waits(cloud), name="wait") for cloud in deaf]
            async with asyncio.timeout(NOTICED_S), asyncio.TaskGroup() as noticing:
                for cloud in sound:
                    noticing.create_task(gives_up(cloud), name="notice")
            early = [task for task in waiting if task.done()]
            peers.come_back()
            await asyncio.sleep(1)
            for cloud in sound:
                assert len((await cloud.send(batch(2, first=2))).accepted) == 2
            for task in waiting:
                task.cancel()
        for cloud in (sound[0], deaf[0]):
            await cloud.aclose()
    assert early == []


def far_broker(client_id: str) -> Cloud:
    plan = dataclasses.replace(mqtt_plan(1883, client_id=client_id), host=vanish.FAR)
    return MqttCloud(GATEWAY, plan, options_of(plan, {}), answer_s=PATIENT_S)


def never_minds(cloud: Cloud) -> None:
    """As if TCP_USER_TIMEOUT had never been set."""
    open_socket = cloud._link._socket  # type: ignore[attr-defined]  # noqa: SLF001 - a bad build
    open_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)


async def waits(cloud: Cloud) -> None:
    with contextlib.suppress(Unreachable):
        await cloud.send(batch(2, first=2))


async def gives_up(cloud: Cloud) -> None:
    with pytest.raises(Unreachable):
        await cloud.send(batch(2, first=2))
