"""The devices' side: what the platform's ingest says and does (`tesaiot`, sections 3, 5 and 7)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from agent.clock import Clock, iso
from agent.demo.sandbox.store import Device, Row, Store
from agent.demo.sandbox.trouble import WELL, Trouble
from agent.demo.sandbox.wire import Wires
from agent.plan import Json

RECORDS_MAX = 1000
BODY_MAX = 5_000_000  # nginx before the API, and the API's /device routes
INTEGER_MAX = 2**63 - 1
NAME_MAX = 100
DEVICE_ID = re.compile(r"[a-zA-Z0-9_-]{3,64}", re.ASCII)
KEY = re.compile(r"tesa_dak_([^_]{1,8})_[0-9a-f]{32}", re.ASCII)
HEARTBEAT = ("uptime", "firmware_version", "free_memory", "signal_strength")


class Refused(Exception):
    """The request as a whole is refused."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"success": False, "code": code, "error": message, **more}


@dataclass(slots=True)
class Findings:
    """What is made of one batch."""

    rows: list[tuple[int, Row]] = field(default_factory=list)
    errors: list[Json] = field(default_factory=list)


class DeviceRoutes:
    """The routes a device uses, over one store."""

    def __init__(self, store: Store, wires: Wires, clock: Clock) -> None:
        self._store = store
        self._wires = wires
        self._clock = clock
        self.databases = {"mongodb": True, "redis": True, "timescaledb": True}
        self.router = APIRouter(prefix="/api/v1")
        for method, path, route in (
            ("POST", "/telemetry", self.single),
            ("POST", "/telemetry/batch", self.batch),
            ("GET", "/telemetry/health", self.databases_health),
            ("GET", "/health", self.health),
            ("POST", "/device/heartbeat", self.heartbeat),
            ("GET", "/device/configuration", self.configuration),
            ("POST", "/device/configuration", self.configuration_answer),
            ("POST", "/device/command/response", self.command_answer),
        ):
            self.router.add_api_route(path, route, methods=[method], tags=["device"])

    async def single(self, request: Request) -> Response:
        """Store one record; key or client certificate."""
        device = self._device(request)
        item = await _document(request)
        if item.get("device_id") != device.id:
            raise Refused(403, "DEVICE_ID_MISMATCH", "device_id is not the credential's")
        findings = self._judge([item], _trouble(request))
        if findings.errors:
            text = str(findings.errors[0]["error"])
            poison = text.startswith("Processing error")
            raise Refused(*(500, "PROCESSING_ERROR") if poison else (400, "VALIDATION_ERROR"), text)
        row = findings.rows[0][1]
        telemetry_id = f"{self._store.add([row])[0]:024x}"
        stored = {"mongodb_stored": True, "primary": "mongodb", "timeseries_stored": _charted(row)}
        return _json(
            {
                "success": True, "message": "Telemetry data stored successfully",
                "device_id": device.id, "metrics_stored": list(row.data), "storage": stored,
                "telemetry_id": telemetry_id, "timestamp": row.at,
            }
        )  # fmt: skip

    async def batch(self, request: Request) -> Response:
        """Store 1..1000 records, with a result for each."""
        device = self._device(request)
        if not request.headers.get("x-api-key"):
            raise Refused(400, "VALIDATION_ERROR", "device_id is required")  # 9444 rewrites paths
        items = (await _document(request)).get("telemetry")
        if not isinstance(items, list) or not items:
            raise Refused(400, "MISSING_TELEMETRY_ARRAY", "telemetry array is required")
        if len(items) > RECORDS_MAX:
            raise Refused(400, "BATCH_TOO_LARGE", f"at most {RECORDS_MAX} records")
        for index, item in enumerate(items):
            if isinstance(item, dict) and item.get("device_id") != device.id:
                raise Refused(403, "DEVICE_ID_MISMATCH", "another device's", index=index)
        findings = self._judge(items, _trouble(request))
        ids = self._store.add([row for _, row in findings.rows])
        return _json(_results(len(items), findings, ids))

    async def databases_health(self) -> Response:
        """Whether a record would be stored now; open to all."""
        healthy = self.databases["mongodb"]
        body = {"status": "healthy" if healthy else "unhealthy", "databases": self.databases}
        return _json(body, 200 if healthy else 503)

    async def health(self) -> Json:
        """That the API answers, and no more."""
        return {"status": "healthy"}

    async def heartbeat(self, request: Request) -> Response:
        """A device lives."""
        device = self._device(request)
        told = await _document(request) if await request.body() else {}
        if any(not isinstance(told.get(k, 0), int) for k in HEARTBEAT if k != "firmware_version"):
            raise Refused(500, "PROCESSING_ERROR", "not an integer")
        now = self._now()
        device.online, device.last_heartbeat, device.last_seen = True, now, now
        device.heartbeat = {name: told[name] for name in HEARTBEAT if told.get(name)}
        return _json({"success": True, "timestamp": now, "needs_config_update": False})

    async def configuration(self, request: Request) -> Response:
        """The default configuration; nothing else exists."""
        self._device(request)
        features = {"telemetry": True, "commands": False, "ota": False}
        default: Json = {"version": "default", "telemetry_interval": 60}
        found = {**default, "features": features, "settings": {}}
        return _json({"success": True, "configuration": found, "timestamp": self._now()})

    async def configuration_answer(self, request: Request) -> Response:
        """What the device made of a configuration."""
        self._device(request)
        return _json({"success": True, "timestamp": self._now()})

    async def command_answer(self, request: Request) -> Response:
        """There are no commands, so every answer is to an unknown one."""
        self._device(request)
        raise Refused(404, "COMMAND_NOT_FOUND", "no such command")

    def _device(self, request: Request) -> Device:
        """Whose credential this is.

        As on the platform, one record is looked up by the key's prefix, so a second device whose
        id begins with the same 8 characters is never let in.
        """
        key = request.headers.get("x-api-key")
        if not key:
            return self._certified(request)
        shape = KEY.fullmatch(key)
        found = [d for d in self._store.devices.values() if shape and prefix(d.id) == shape[1]]
        if not found or found[0].api_key != key or found[0].status != "active":
            raise Refused(401, "API_KEY_INVALID", "Invalid API key")
        return found[0]

    def _certified(self, request: Request) -> Device:
        name = self._wires.common_name(request.client) if request.client else None
        if name is None:
            raise Refused(401, "API_KEY_MISSING", "API key required")
        if name not in self._store.devices:
            raise Refused(403, "MTLS_DEVICE_NOT_FOUND", "no device of that name")
        return self._store.devices[name]

    def _judge(self, items: Sequence[Any], trouble: Trouble) -> Findings:
        findings = Findings()
        for index, item in enumerate(items):
            try:
                row = self._row(item)
                _processed(row, index, trouble)
            except ValueError as error:
                findings.errors.append({"index": index, "error": str(error)})
            else:
                findings.rows.append((index, row))
        return findings

    def _row(self, item: Any) -> Row:
        if not isinstance(item, dict) or not DEVICE_ID.fullmatch(str(item.get("device_id", ""))):
            message = "Invalid device_id format"
            raise ValueError(message)
        data, metadata = item.get("data"), item.get("metadata", {})
        if not isinstance(data, dict) or not data:
            message = "data field is required and must be a non-empty object"
            raise ValueError(message)
        if not isinstance(metadata, dict):
            message = "metadata must be an object"
            raise ValueError(message)  # noqa: TRY004 -- a record is judged, this program is not wrong
        return Row(item["device_id"], self._timestamp(item), data, metadata)

    def _timestamp(self, item: Json) -> str:
        given = item.get("timestamp", self._now())
        if not isinstance(given, str):
            kind = type(given).__name__
            message = f"Validation error: '{kind}' object has no attribute 'replace'"
            raise ValueError(message)  # noqa: TRY004 -- as above
        try:
            datetime.fromisoformat(given)
        except ValueError as error:
            message = "Invalid timestamp format. Use ISO 8601"
            raise ValueError(message) from error
        return given

    def _now(self) -> str:
        return iso(self._clock.now().wall_ns)


def prefix(device_id: str) -> str:
    """What stands in a device's key: the first 8 characters of its id, without dashes."""
    return device_id.replace("-", "").lower()[:8]


def _trouble(request: Request) -> Trouble:
    found = request.scope.get("fieldpost.trouble")
    return found if isinstance(found, Trouble) else WELL


async def _document(request: Request) -> Json:
    body = await request.body()
    if len(body) > BODY_MAX:
        raise Refused(413, "REQUEST_TOO_LARGE", "request too large")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(500, "PROCESSING_ERROR", "broken JSON") from error
    if not isinstance(document, dict):
        raise Refused(500, "PROCESSING_ERROR", "not an object")
    return document


def _processed(row: Row, index: int, trouble: Trouble) -> None:
    """What happens while storing; any exception there becomes a processing error."""
    if any(isinstance(v, int) and abs(v) > INTEGER_MAX for v in row.data.values()):
        message = "Processing error: MongoDB can only handle up to 8-byte ints"
        raise ValueError(message)
    if trouble.poison in row.data:
        if trouble.poison_all:
            raise Refused(500, "PROCESSING_ERROR", "Internal error")
        message = "Processing error: poison"
        raise ValueError(message)
    if trouble.fail_every and index % trouble.fail_every == trouble.fail_every - 1:
        message = "Processing error: connection pool is closed"
        raise ValueError(message)


def _charted(row: Row) -> bool:
    """Whether the time series takes it: one bad name or NUL hides the whole sample."""
    texts = [*row.data, *(v for v in row.data.values() if isinstance(v, str))]
    return not any("\0" in text for text in texts) and all(len(n) <= NAME_MAX for n in row.data)


def _results(total: int, findings: Findings, ids: Sequence[int]) -> Json:
    named, warnings = [], []
    for (index, row), number in zip(findings.rows, ids, strict=True):
        charted = _charted(row)
        device, telemetry_id = row.device_id, f"{number:024x}"
        named.append(
            {"device_id": device, "index": index, "telemetry_id": telemetry_id,
             "timeseries_stored": charted}
        )  # fmt: skip
        if not charted:
            problem = "timeseries_write_failed"
            warnings.append({"index": index, "device_id": device, "warning": problem})
    results: Json = {"total": total, "successful": len(named), "failed": len(findings.errors)}
    results |= {"errors": findings.errors, "telemetry_ids": named, "warnings": warnings}
    return {
        "success": True, "message": f"Processed {total} telemetry records", "results": results
    }  # fmt: skip


def _json(body: Json, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
