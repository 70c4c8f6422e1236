"""Connections that misbehave: half requests, floods, rubbish; each has an end."""

import asyncio
import time

import orjson
import pytest

from agent.client import Role
from agent.status import protocol
from tests.status.conftest import Service, raw, request
from tests.status.gatewaytwin import TOKENS

SLACK_S = 10.0  # two shared cores


def body(answer: bytes) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = orjson.loads(answer.partition(b"\r\n\r\n")[2])
    return found


async def lasting(port: int, text: bytes) -> float:
    began = time.monotonic()
    await raw(port, text, within_s=18)
    return time.monotonic() - began


@pytest.mark.timeout(20)
async def test_half_a_request_and_none_at_all_are_ended_after_five_seconds(
    service: Service,
) -> None:
    half = request()[:-2]
    token = {"Authorization": f"Bearer {TOKENS[Role.VIEWER]}"}
    second = request(**token) + b"GET /api/v1/st"
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(lasting(service.port, text), name="half")
            for text in (b"", half, second, request("/"))
        ]

    for task in tasks:
        assert 4.5 < task.result() < protocol.HEADER_S + SLACK_S


@pytest.mark.parametrize(
    "rubbish",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"HELO there\r\n\r\n", b"\r\n\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
     b"GET / HTTP/x\r\nHost: localhost\r\n\r\n", b"G\x00T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 10_000 + b"\r\n\r\n"],
)  # fmt: skip
async def test_rubbish_is_told_so_in_the_envelope_and_the_service_goes_on(
    service: Service, rubbish: bytes
) -> None:
    answer = await raw(service.port, rubbish, within_s=1)

    if answer:  # some of it is only the beginning of a request
        assert answer.startswith(b"HTTP/1.1 400")
        assert body(answer)["error"]["code"] == "VALIDATION_ERROR"
    assert (await service.get("/livez", None)).status_code == 200


async def test_beyond_its_places_a_connection_is_told_so_and_the_others_are_served(
    service: Service,
) -> None:
    await service.get("/livez", None)  # one place is the client's own
    idle = [
        await asyncio.open_connection("127.0.0.1", service.port)
        for _ in range(protocol.CONNECTIONS_MAX - 1)
    ]
    await asyncio.sleep(0.05)
    turned_away = await raw(service.port, request())
    served = await service.get("/livez", None)
    for _, writer in idle:
        writer.close()

    assert turned_away.startswith(b"HTTP/1.1 503")
    assert body(turned_away)["error"]["code"] == "AGENT_UNAVAILABLE"
    assert served.status_code == 200


@pytest.mark.timeout(20)
async def test_a_thousand_idle_connections_leave_the_service_usable(service: Service) -> None:
    await service.get("/livez", None)
    idle = []
    for _ in range(1000):
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        idle.append(writer)
    answer = await service.get("/livez", None)
    for writer in idle:
        writer.close()

    assert answer.status_code == 200


async def test_an_upgrade_is_not_taken(service: Service) -> None:
    answer = await raw(
        service.port,
        request("/", Upgrade="websocket", Connection="Upgrade", **{"Sec-WebSocket-Version": "13"}),
        within_s=0.5,
    )

    assert answer.startswith(b"HTTP/1.1 200")


async def test_requests_in_a_row_on_one_connection_are_quick(service: Service) -> None:
    await service.get("/api/v1/status")
    took_s = []
    for _ in range(20):
        began = time.monotonic()
        await service.get("/api/v1/health")
        took_s.append(time.monotonic() - began)

    # without TCP_NODELAY each takes 40 ms; what else the machine does takes some of them as long
    assert sorted(took_s)[len(took_s) // 4] < 0.035
