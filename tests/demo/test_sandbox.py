"""The sandbox keeps the platform's contract, and misbehaves only when told to."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.clock import SystemClock
from agent.cloud.http.answer import Answer
from agent.cloud.http.client import HttpClient, Post
from agent.cloud.tls import Pair, context
from agent.demo.sandbox import Sandbox

DEVICE = "fp-demo-01"
BATCH = "/api/v1/telemetry/batch"
AT = "2026-03-01T10:00:00.250Z"


class Caller:
    """Somebody with a key, a token, or nothing."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._client = HttpClient(sandbox.url, context([sandbox.ca]))
        self.key = sandbox.register(DEVICE).api_key
        self.token = sandbox.token()

    async def post(self, path: str, document: Any, key: str | None = None) -> Answer:
        headers = (("X-API-KEY", self.key if key is None else key),)
        return await self._client.send(Post(path, json.dumps(document).encode(), headers))

    async def get(self, path: str, token: str | None = None) -> Answer:
        headers = (("Authorization", f"Bearer {self.token if token is None else token}"),)
        return await self._client.send(Post(path, headers=headers, method="GET"))

    async def put(self, path: str, document: Any) -> Answer:
        headers = (("Authorization", f"Bearer {self.token}"), ("Content-Type", "application/json"))
        return await self._client.send(Post(path, json.dumps(document).encode(), headers, "PUT"))

    async def aclose(self) -> None:
        await self._client.aclose()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as found:
        yield found


@pytest.fixture
async def caller(sandbox: Sandbox) -> AsyncIterator[Caller]:
    found = Caller(sandbox)
    yield found
    await found.aclose()


def item(**changes: Any) -> dict[str, Any]:
    good = {"device_id": DEVICE, "timestamp": AT, "data": {"t": 1.5}, "metadata": {}}
    return good | changes


async def test_each_record_of_a_batch_is_judged_by_itself(caller: Caller) -> None:
    items = [
        item(),
        item(data={"big": 2**63}),
        item(timestamp=1_772_359_200),
        item(timestamp="yesterday"),
        item(data={}),
        item(metadata=[]),
        item(data={"n" * 101: 1}),
    ]
    answer = await caller.post(BATCH, {"telemetry": items})
    results = answer.json()["results"]
    assert answer.status == 200
    assert [entry["index"] for entry in results["telemetry_ids"]] == [0, 6]
    assert {entry["index"]: entry["error"] for entry in results["errors"]} == {
        1: "Processing error: MongoDB can only handle up to 8-byte ints",
        2: "Validation error: 'int' object has no attribute 'replace'",
        3: "Invalid timestamp format. Use ISO 8601",
        4: "data field is required and must be a non-empty object",
        5: "metadata must be an object",
    }
    assert [entry["index"] for entry in results["warnings"]] == [6]
    assert (results["total"], results["successful"], results["failed"]) == (7, 2, 5)


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        ({"telemetry": []}, 400, "MISSING_TELEMETRY_ARRAY"),
        ({"telemetry": [item()] * 1001}, 400, "BATCH_TOO_LARGE"),
        ({"telemetry": [item(), item(device_id="another")]}, 403, "DEVICE_ID_MISMATCH"),
        ([], 500, "PROCESSING_ERROR"),
    ],
)
async def test_a_batch_as_a_whole_is_refused(
    caller: Caller, document: Any, status: int, code: str
) -> None:
    answer = await caller.post(BATCH, document)
    assert answer.status == status
    assert answer.json()["code"] == code


async def test_only_the_devices_own_key_opens(sandbox: Sandbox, caller: Caller) -> None:
    for key in ("", "nonsense", "tesa_gwk_fpdemo01_" + "0" * 32, caller.key[:-1] + "x"):
        answer = await caller.post(BATCH, {"telemetry": [item()]}, key=key)
        assert answer.status == 401
    sandbox.store.devices[DEVICE].status = "revoked"
    assert (await caller.post(BATCH, {"telemetry": [item()]})).status == 401
    assert sandbox.store.count() == 0


async def test_a_certificate_opens_the_other_listener_only(sandbox: Sandbox) -> None:
    sandbox.register(DEVICE)
    own = sandbox.authority.client(DEVICE)
    pair = Pair(own.certificate, own.private_key)
    client = HttpClient(sandbox.certificate_url, context([sandbox.ca], pair))
    body = json.dumps(item()).encode()
    assert (await client.send(Post("/api/v1/telemetry", body))).status == 200
    batch = json.dumps({"telemetry": [item()]}).encode()
    assert (await client.send(Post(BATCH, batch))).status == 400
    await client.aclose()


async def test_people_read_back_what_devices_sent(sandbox: Sandbox, caller: Caller) -> None:
    items = [item(timestamp=f"2026-03-01T10:00:0{n}Z", data={"t": n}) for n in range(5)]
    await caller.post(BATCH, {"telemetry": items})
    listed = (await caller.get("/api/v1/devices")).json()
    assert listed["success"] is True
    assert listed["meta"]["total"] == 1
    assert "api_key" not in listed["data"][0]
    one = (await caller.get(f"/api/v1/devices/{DEVICE}")).json()["data"]
    assert one["last_telemetry"] == {"t": 4}
    page = (await caller.get(f"/api/v1/devices/{DEVICE}/telemetry?skip=1&limit=2")).json()
    assert [row["data"]["t"] for row in page["data"]] == [3, 2]
    assert page["meta"] | {"skip": 1, "limit": 2, "total": 5} == page["meta"]
    assert sandbox.store.holes() == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/devices/nobody", 404, "DEVICE_NOT_FOUND"),
        ("/api/v1/devices?limit=0", 400, "VALIDATION_ERROR"),
        ("/api/v1/devices?skip=x", 400, "VALIDATION_ERROR"),
    ],
)
async def test_people_are_refused_in_the_envelope(
    caller: Caller, path: str, status: int, code: str
) -> None:
    answer = await caller.get(path)
    assert answer.status == status
    assert answer.json()["success"] is False
    assert answer.json()["error"]["code"] == code


async def test_nobody_reads_without_a_token(caller: Caller) -> None:
    for path in ("/api/v1/devices", f"/api/v1/devices/{DEVICE}", "/control"):
        for token in ("nonsense", caller.key):
            assert (await caller.get(path, token)).status == 401


async def test_duplicates_and_holes_are_told(sandbox: Sandbox, caller: Caller) -> None:
    for seq in (1, 2, 2, 5):
        await caller.post(BATCH, {"telemetry": [item(metadata={"epoch": "e", "seq": seq})]})
    assert sandbox.store.duplicates() == [("e", 2, 2)]
    assert sandbox.store.holes() == [("e", 3, 4)]
    told = (await caller.get("/control")).json()
    assert (told["records"], told["duplicates"], told["holes"]) == (4, 1, [["e", 3, 4]])


async def test_the_mood_is_switched_over_the_wire(caller: Caller) -> None:
    await caller.put("/control", {"status": 503, "body": "text", "retry_after": "7", "times": 1})
    bad = await caller.post(BATCH, {"telemetry": [item()]})
    assert (bad.status, bad.media_type, bad.retry_after_s) == (503, "text/plain", 7.0)
    assert (await caller.post(BATCH, {"telemetry": [item()]})).status == 200
    assert (await caller.put("/control", {"nonsense": 1})).status == 400


async def test_it_takes_tens_of_thousands_of_readings_a_second(caller: Caller) -> None:
    data = {f"p{number}": number * 1.5 for number in range(20)}
    items = [item(data=data, metadata={"epoch": "e", "seq": seq}) for seq in range(500)]
    clock = SystemClock()
    began = clock.monotonic_s()
    for _ in range(4):
        assert (await caller.post(BATCH, {"telemetry": items})).status == 200
    assert 4 * 500 * 20 / (clock.monotonic_s() - began) > 10_000


async def test_it_forgets_nothing_that_lies_in_a_folder(tmp_path: Path) -> None:
    for expected in (1, 2):
        async with Sandbox(tmp_path) as sandbox:
            caller = Caller(sandbox)
            await caller.post(BATCH, {"telemetry": [item()]})
            await caller.aclose()
            assert sandbox.store.count() == expected


async def test_it_runs_by_itself(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent.demo.sandbox", str(tmp_path / "cloud"),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    ca = (tmp_path / "cloud" / "ca.pem").read_bytes()
    client = HttpClient(url, context([ca]))
    assert (await client.send(Post("/api/v1/health", method="GET"))).status == 200
    await client.aclose()
    secrets = {
        name: (tmp_path / "cloud" / name).stat().st_mode & 0o777 for name in ("bundle.zip", "token")
    }
    assert set(secrets.values()) == {0o600}
    os.kill(process.pid, signal.SIGTERM)
    assert await process.wait() == 0
