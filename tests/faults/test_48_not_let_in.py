"""Fault 48: 401, 403, a revoked device: stop, keep everything, tell a person."""

import pytest

from agent.cloud import Beats, Unauthorized, Vitals
from agent.demo.sandbox import Sandbox
from tests.cloud.conftest import mqtt_plan
from tests.cloud.records import batch
from tests.faults.clouds import http, mqtt, tesaiot
from tests.lab.mosquitto import Broker
from tests.lab.scripted import Scripted, always, reply


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [b"", b'{"error":"no"}', b"<html>no</html>"])
async def test_refused_credentials_refuse_no_data(status: int, body: bytes) -> None:
    no = always(*reply(status, body))
    async with Scripted(no) as server, http(server.url) as cloud:
        with pytest.raises(Unauthorized) as caught:
            await cloud.send(batch(3))
    assert caught.value.action


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
