"""Fault 48: 401, 403, a revoked device: stop, keep everything, tell a person."""

import asyncio
from collections.abc import Iterable

import pytest

from agent.cloud import Beats, Unauthorized, Vitals
from agent.demo.sandbox import Sandbox
from tests.cloud.conftest import mqtt_plan
from tests.cloud.records import batch
from tests.faults.clouds import http, mqtt, tesaiot
from tests.faults.flaws import HAMMERS, JUDGES_SILENCE
from tests.faults.road import HOUR_S, SOUND, Archive, Build, over_http
from tests.lab.mosquitto import Broker
from tests.lab.scripted import Asked, Piece, Scripted, always, reply

LEAST_PAUSE_S = 120.0  # a person has to act


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [b"", b'{"error":"no"}', b"<html>no</html>"])
async def test_refused_credentials_refuse_no_data(status: int, body: bytes) -> None:
    no = always(*reply(status, body))
    async with Scripted(no) as server, http(server.url) as cloud:
        with pytest.raises(Unauthorized) as caught:
            await cloud.send(batch(3))
    assert "fieldpost secret set tok" in (caught.value.action or "")


def shut_for(shut_s: float, status: int, build: Build) -> list[str]:
    """What is wrong once a person has renewed the token."""
    archive = Archive()

    def door(asked: Asked) -> Iterable[Piece]:
        if asyncio.get_running_loop().time() > shut_s:
            return archive(asked)
        archive.came()
        return reply(status, b"{}")

    found: list[str] = over_http(archive, [door] * 100_000, build, patience_s=shut_s + 600)
    if len(archive.asked_s) > shut_s / LEAST_PAUSE_S + 2:
        found.append(f"I6: {len(archive.asked_s)} requests in {shut_s:.0f} s")
    return found


@pytest.mark.timeout(40)
def test_half_a_day_before_the_door_loses_nothing() -> None:
    assert shut_for(12 * HOUR_S, 401, SOUND) == []


@pytest.mark.parametrize("build", [SOUND, JUDGES_SILENCE, HAMMERS], ids=str)
@pytest.mark.parametrize("status", [401, 403])
def test_who_blames_the_data_or_knocks_without_end_is_caught(status: int, build: Build) -> None:
    assert build.caught(shut_for(2 * HOUR_S, status, build))


async def test_a_device_that_is_not_active_is_named() -> None:
    async with Sandbox() as sandbox, tesaiot(sandbox) as cloud:
        sandbox.store.devices["fp-demo-01"].status = "revoked"
        with pytest.raises(Unauthorized) as caught:
            await cloud.send(batch(3))
        assert "fp-demo-01" in (caught.value.action or "")
        assert "same 8 letters" in (caught.value.action or "")
        sandbox.store.devices["fp-demo-01"].status = "active"
        assert len((await cloud.send(batch(3))).accepted) == 3


async def test_a_refused_heartbeat_does_not_touch_telemetry() -> None:
    async with Sandbox() as sandbox, tesaiot(sandbox) as cloud:
        assert isinstance(cloud, Beats)
        sandbox.control.set(status=401, times=1)
        with pytest.raises(Unauthorized):
            await cloud.beat(Vitals(1, "1.0", 1000))
        assert len((await cloud.send(batch(3))).accepted) == 3


async def test_a_broker_that_does_not_know_us(tmp_path: object) -> None:
    from pathlib import Path  # noqa: PLC0415 -- beside its only use

    async with Broker(Path(str(tmp_path)), ["allow_anonymous false"]) as broker:
        for version in ("5", "3.1.1"):
            async with mqtt(broker.port, version=version) as cloud:
                with pytest.raises(Unauthorized, match="credentials"):
                    await cloud.send(batch(1))
    assert mqtt_plan(1).client_id
