"""Fault 53: a broker that acknowledged and forgot, and a tail that is sent again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.cloud import Vitals
from agent.daemon.buffer import Outbox
from agent.daemon.uplink import Uplink
from agent.plan import Destination
from tests.daemon.buffer.parts import HandClock, opened, put
from tests.daemon.twins import Reported
from tests.faults.clouds import mqtt
from tests.lab.mosquitto import PROGRAM, Broker, Reader

pytestmark = [
    pytest.mark.skipif(not PROGRAM, reason="needs Debian's mosquitto"),
    pytest.mark.timeout(30),
]
REPLAY_S = 2400.0
DEBIAN = ("allow_anonymous true", "persistence true", "autosave_interval 1800")


@asynccontextmanager
async def carrying(outbox: Outbox, port: int, report: Reported) -> AsyncIterator[None]:
    """A lane to a broker; the clock of the store stands still, that of the lane does not."""
    destination = Destination("broker", "mqtt", "x:y", 0.05, None, {})
    async with mqtt(port, compress="", payload="samples") as cloud:
        uplink = Uplink(destination, lambda: cloud, outbox, report, SystemClock())
        async with asyncio.TaskGroup() as group:
            task = group.create_task(uplink.run(lambda: Vitals(1, "0.1.0", 1000)), name="uplink")
            yield
            task.cancel()


async def until_delivered(report: Reported, readings: int) -> None:
    async with asyncio.timeout(60):
        while report.delivered_readings < readings:
            await asyncio.sleep(0.01)


async def forgotten(tmp_path: Path, replay_s: float) -> tuple[bytes, int]:
    """What a reader of the broker's second life gets, and what we count as delivered."""
    (tmp_path / "store").mkdir()
    clock, report = HandClock(), Reported()
    lines = (*DEBIAN, f"persistence_location {tmp_path}/")
    async with Broker(tmp_path, lines) as broker, opened(tmp_path / "store", clock) as buffer:
        box = buffer.outbox("cloud")
        box.tail.hold(replay_s)
        async with carrying(box, broker.port, report):
            await put(buffer, clock, 41, 42, 43)
            await until_delivered(report, 3)
            await broker.kill()
            await broker.start()
            async with Reader(broker.port, "fieldpost/#") as reader:
                await put(buffer, clock, 44)
                await until_delivered(report, 4)
                payloads = b""
                while payloads.count(b'"seq"') < (4 if replay_s else 1):
                    payloads += (await reader.message())[1]
        facts = buffer.facts().destinations["cloud"]
    assert facts.waiting == facts.lost == facts.rejected == 0
    return payloads, facts.delivered


async def test_what_mosquitto_acknowledged_and_lost_arrives_after_all(tmp_path: Path) -> None:
    payloads, delivered = await forgotten(tmp_path, REPLAY_S)
    assert all(b'"power":%d}' % value in payloads for value in (41, 42, 43, 44))
    assert delivered == 4


async def test_without_a_tail_it_is_lost(tmp_path: Path) -> None:
    """The control: this is what the tail is for."""
    payloads, _ = await forgotten(tmp_path, 0.0)
    assert b'"power":44}' in payloads
    assert b'"power":41}' not in payloads
