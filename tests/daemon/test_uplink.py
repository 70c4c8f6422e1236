"""One lane: when it sends, in which order, and what it tells health."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from agent.clock import SystemClock
from agent.cloud import Cloud, Limits, Place, Unreachable, Vitals
from agent.cloud.http.client import HttpClient
from agent.cloud.http.destination import HttpCloud, Plan
from agent.cloud.knock import knock
from agent.cloud.tls import context
from agent.daemon.uplink import Uplink
from agent.errors import FieldpostError
from agent.plan import Destination
from tests.daemon.twins import ListOutbox, Reported, ScriptedCloud, record

if TYPE_CHECKING:
    from agent.daemon.buffer import Outbox

SOON_S = 0.05


def vitals() -> Vitals:
    return Vitals(1, "0.1.0", 1000)


@asynccontextmanager
async def running(
    cloud: Cloud, outbox: ListOutbox, report: Reported, every_s: float = SOON_S
) -> AsyncIterator[Uplink]:
    destination = Destination("archive", "http", "x:y", every_s, None, {})
    uplink = Uplink(destination, lambda: cloud, cast("Outbox", outbox), report, SystemClock())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(uplink.run(vitals), name="uplink")
        yield uplink
        task.cancel()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


async def test_what_comes_after_a_quiet_time_goes_at_once() -> None:
    cloud, outbox = ScriptedCloud(), ListOutbox()
    async with running(cloud, outbox, Reported(), every_s=60):
        outbox.add(record(1))
        await until(lambda: cloud.delivered == [1])
    assert cloud.closed


async def test_records_wait_at_most_every_and_travel_together() -> None:
    cloud, outbox = ScriptedCloud(), ListOutbox([record(1)])
    async with running(cloud, outbox, Reported(), every_s=1.0):
        await until(lambda: cloud.delivered == [1])
        outbox.add(record(2))
        await asyncio.sleep(0.05)
        outbox.add(record(3))
        assert cloud.delivered == [1]
        await until(lambda: cloud.delivered == [1, 2, 3])
    assert cloud.requests == [[1], [2, 3]]


async def test_a_full_batch_does_not_wait() -> None:
    cloud = ScriptedCloud(limits=Limits(records=2, readings=2))
    outbox = ListOutbox([record(1)])
    async with running(cloud, outbox, Reported(), every_s=60):
        await until(lambda: cloud.delivered == [1])
        outbox.add(record(2), record(3))
        await until(lambda: cloud.delivered == [1, 2, 3])


async def test_an_urgent_record_goes_at_once_and_first() -> None:
    cloud, outbox = ScriptedCloud(), ListOutbox([record(1)])
    async with running(cloud, outbox, Reported(), every_s=60):
        await until(lambda: cloud.delivered == [1])
        outbox.add(record(2))
        await asyncio.sleep(0.02)
        outbox.add(record(3), urgent=True)
        await until(lambda: len(cloud.requests) > 1)
    assert cloud.requests[1] == [3]


async def test_after_an_outage_live_records_go_between_the_pieces_of_backlog() -> None:
    away = Unreachable("no route", retry_after_s=0.001)
    cloud, report = ScriptedCloud(away, limits=Limits(records=2)), Reported()
    outbox = ListOutbox([record(seq) for seq in range(1, 8)])

    async def send_and_grow(batch: object, send: object = cloud.send) -> object:
        if len(cloud.requests) == 2:
            outbox.add(record(100))
        return await send(batch)  # type: ignore[operator]  # the original method

    cloud.send = send_and_grow  # type: ignore[method-assign, assignment]  # a live record arrives
    async with running(cloud, outbox, report):
        await until(lambda: not outbox.held)
    assert cloud.requests[:2] == [[1, 2], [1, 2]]
    assert [100] in cloud.requests[2:5]
    assert cloud.delivered.index(100) < cloud.delivered.index(7)


async def test_health_hears_of_deliveries_and_of_each_pause() -> None:
    cloud = ScriptedCloud(Unreachable("no route", retry_after_s=0.001))
    outbox, report = ListOutbox([record(1, a=1.0, b=2.0)]), Reported()
    async with running(cloud, outbox, report) as uplink:
        await until(lambda: report.delivered_readings == 2)
        assert uplink.waits_for is None
    assert report.failures[0][0] == "no route"


async def test_a_refused_heartbeat_never_stops_telemetry() -> None:
    class Beating(ScriptedCloud):
        beat_every_s = 0.01

        async def beat(self, vitals: Vitals) -> None:
            del vitals
            message = "403"
            raise Unreachable(message)

    cloud, outbox, report = Beating(), ListOutbox([record(1)]), Reported()
    async with running(cloud, outbox, report):
        await until(lambda: len(report.beats) > 1 and not outbox.held)
    assert all(isinstance(beat, FieldpostError) for beat in report.beats)


async def test_a_lane_that_only_waits_for_the_clock_says_so() -> None:
    cloud, outbox = ScriptedCloud(), ListOutbox([record(1)])
    async with running(cloud, outbox, Reported()) as uplink:
        await until(lambda: cloud.delivered == [1])
        outbox.held_back = True
        outbox.add(record(2))
        await until(lambda: uplink.waits_for is not None)
        assert uplink.waits_for == "the time of day is not known yet"
        outbox.held_back = False
        outbox.add(record(3))
        await until(lambda: cloud.delivered == [1, 2, 3] and uplink.waits_for is None)


async def test_what_a_destination_forgot_goes_again_and_is_not_counted_twice() -> None:
    class Forgetting(ScriptedCloud):
        forgotten = False

        def forgot(self) -> bool:
            forgotten, self.forgotten = self.forgotten, False
            return forgotten

    cloud, report = Forgetting(), Reported()
    outbox = ListOutbox([record(1), record(2)])
    async with running(cloud, outbox, report):
        await until(lambda: cloud.delivered == [1, 2])
        cloud.forgotten = True
        outbox.add(record(3))
        await until(lambda: cloud.delivered == [1, 2, 3, 1, 2])
    assert report.delivered_readings == 3


async def test_a_heartbeat_that_finds_the_memory_gone_is_enough() -> None:
    class Forgetting(ScriptedCloud):
        beat_every_s = 0.01
        forgotten = False

        async def beat(self, vitals: Vitals) -> None:
            del vitals

        def forgot(self) -> bool:
            forgotten, self.forgotten = self.forgotten, False
            return forgotten

    cloud, outbox = Forgetting(), ListOutbox([record(1)])
    async with running(cloud, outbox, Reported()):
        await until(lambda: cloud.delivered == [1])
        cloud.forgotten = True
        await until(lambda: cloud.delivered == [1, 1])


async def test_a_wrong_port_is_named_before_there_is_anything_to_send() -> None:
    with socket.socket() as taken:  # bound and not listening: whoever knocks is refused
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        cloud = HttpCloud("gw", Plan("x"), HttpClient(f"http://127.0.0.1:{port}/in", context()))
        report = Reported()
        async with running(cloud, ListOutbox(), report):
            await until(lambda: bool(report.beats))
    [error] = report.beats
    assert error is not None
    assert "cannot be reached (Connection refused)" in error.message


async def test_nobody_is_blamed_for_a_silence_or_for_being_there() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await knock(Place("127.0.0.1", port, None)) is None
    server.close()
    assert isinstance(await knock(Place("127.0.0.1", port, None)), Unreachable)
