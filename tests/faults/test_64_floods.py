"""Fault 64: a thousand idle connections, slow requests and churn: places, deadlines, telemetry."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI

from agent.status import protocol
from agent.status.protocol import Protocol
from agent.status.service import Server
from tests.daemon.plant import PROFILE, Site, ended, slave
from tests.lab.mosquitto import free_port
from tests.status.conftest import Service, request, served
from tests.status.gatewaytwin import GatewayTwin

IDLE = 1000
FLOOD_S = 3.0
HURRY = 10
PERIOD_S = 0.5
BUSY_S = 10.0  # more than enough for what is done at once, on a machine that does other things
SLOW = b"POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\nX-Slow: "

pytestmark = pytest.mark.timeout(60)


class Endless(Protocol):
    """Broken: a place for everybody, and time without end."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its parent
        super(Protocol, self).connection_made(transport)

    def _within(self, seconds: float) -> None:
        del seconds


class Hurried(Protocol):
    """As the product, with a tenth of its patience."""

    def _within(self, seconds: float) -> None:
        super()._within(seconds / HURRY)


class Quick(Server):
    """Serves with `Hurried`."""

    def _protocol(self) -> Protocol:
        return Hurried(self._config, self._state, {})


class Roomy(Server):
    """Serves with `Endless`."""

    def _protocol(self) -> Protocol:
        return Endless(self._config, self._state, {})


@asynccontextmanager
async def crowd(port: int, text: bytes, count: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connections that say this and nothing more."""
    readers, writers = [], []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text)
        readers.append(reader)
        writers.append(writer)
    try:
        yield readers
    finally:
        for writer in writers:
            writer.close()


async def held(readers: list[asyncio.StreamReader], most: int, within_s: float) -> int:
    """How many of them have their place: as soon as that is no more than `most`, or at last."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    while (taken := sum([await _open(reader) for reader in readers])) > most:
        if loop.time() >= until:
            break
        await asyncio.sleep(0.05)
    return taken


async def _open(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(0.001):
            while await reader.read(65536):
                pass
    except TimeoutError:
        return True
    except ConnectionError:
        pass
    return False


@pytest.mark.parametrize("build", [Server, Roomy])
async def test_no_more_than_its_places_are_taken_however_many_come(
    twin: GatewayTwin, routes: FastAPI, build: type[Server]
) -> None:
    async with served(routes, twin, build) as service, crowd(service.port, b"", 200) as readers:
        taken = await held(readers, protocol.CONNECTIONS_MAX, BUSY_S if build is Server else 0.5)
    assert (taken <= protocol.CONNECTIONS_MAX) is (build is Server)


@pytest.mark.parametrize("build", [Quick, Roomy])
@pytest.mark.parametrize("text", [SLOW, request()[:-2]])
async def test_who_does_not_finish_a_request_loses_the_place(
    twin: GatewayTwin, routes: FastAPI, build: type[Server], text: bytes
) -> None:
    async with served(routes, twin, build) as service, crowd(service.port, text, 5) as readers:
        more_s = BUSY_S if build is Quick else 0.3
        taken = await held(readers, 0, protocol.HEADER_S / HURRY + more_s)
    assert (taken == 0) is (build is Quick)


async def test_churn_leaves_no_place_taken_and_no_task_behind(service: Service) -> None:
    await service.get("/livez", None)
    before = len(asyncio.all_tasks())
    for _ in range(20):
        async with crowd(service.port, SLOW, 20):
            pass
    assert (await service.get("/livez", None)).status_code == 200
    assert len(asyncio.all_tasks()) <= before + 1


async def test_telemetry_keeps_its_rate_while_the_page_is_flooded(tmp_path: Path) -> None:
    """Polls of a whole daemon are counted; its page is a process of its own, as in the field."""
    site, port = Site(tmp_path, free_port()), free_port()
    site.config.write_text(
        site.config.read_text().replace("listen: none", f"listen: 127.0.0.1:{port}")
    )
    profile = site.config.parent / "profiles" / "test-meter.yaml"
    profile.write_text(PROFILE.replace("100ms", f"{PERIOD_S * 1000:.0f}ms"))
    async with slave(site.modbus):
        daemon = site.run()
        try:
            await site.until(lambda s: s["devices"]["meter"]["state"] == "ok")
            await _listening(port)
            began = asyncio.get_running_loop().time()
            before = _accepted(site)
            await _flood(port)
            polls = (_accepted(site) - before) / 2  # each has two readings
            due = (asyncio.get_running_loop().time() - began) / PERIOD_S
        finally:
            code, _ = ended(daemon)
    assert code in (0, -signal.SIGTERM)
    assert polls >= 0.75 * (due - 1)  # the first may be just over, the last just before


def _accepted(site: Site) -> int:
    accepted: int = site.snapshot()["status"]["store"]["accepted_readings_total"]
    return accepted


async def _listening(port: int) -> None:
    async with asyncio.timeout(40):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def _flood(port: int) -> None:
    """Idle ones that stay, slow requests, and others that come and go, all at once."""
    loop = asyncio.get_running_loop()
    until = loop.time() + FLOOD_S
    async with crowd(port, b"", IDLE):
        while loop.time() < until:
            async with crowd(port, SLOW, 20):
                await asyncio.sleep(0.05)
