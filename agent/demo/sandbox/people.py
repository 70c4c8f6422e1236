"""The people's side: reading back what arrived, and the switch of the sandbox's moods."""

import dataclasses
from typing import Annotated, Any

import jwt
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from agent.clock import Clock, iso
from agent.demo.sandbox.devices import Refused
from agent.demo.sandbox.store import Device, Store
from agent.demo.sandbox.trouble import Body, Control
from agent.plan import Json

ISSUER = "fieldpost-sandbox"
VERSION = "1.0"
Skip = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=1000)]


class Mood(BaseModel):
    """`Trouble`, as JSON."""

    model_config = {"extra": "forbid"}

    latency_s: float = 0.0
    status: int | None = None
    body: Body = Body.JSON
    code: str = "PROCESSING_ERROR"
    retry_after: str | None = None
    location: str | None = None
    portal: bool = False
    drop_answer: bool = False
    truncate: bool = False
    fail_every: int = 0
    poison: str | None = None
    poison_all: bool = False
    times: int | None = None


class Denied(Refused):
    """A person's request is refused, in the platform's envelope."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.body = {"success": False, "error": {"code": code, "message": message}}


class Tokens:
    """Bearer tokens of people, signed with a key that lives as long as the sandbox."""

    def __init__(self, key: str) -> None:
        self._key = key

    def issue(self, subject: str = "demo", role: str = "viewer") -> str:
        """A token that never expires: the sandbox does."""
        return jwt.encode({"sub": subject, "iss": ISSUER, "role": role}, self._key, "HS256")

    async def check(self, request: Request) -> None:
        """Let nobody in without a token.

        Raises:
            Denied: 401.
        """
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            jwt.decode(token, self._key, algorithms=["HS256"], issuer=ISSUER)
        except jwt.InvalidTokenError as error:
            raise Denied(401, "UNAUTHORIZED", "A bearer token is needed") from error


def reading_routes(store: Store, tokens: Tokens, clock: Clock) -> APIRouter:
    """`/api/v1/devices…`, as people and programs read the platform."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(tokens.check)], tags=["people"])

    def envelope(data: Any, **meta: Any) -> Json:
        now = iso(clock.now().wall_ns)
        return {
            "success": True,
            "data": data,
            "meta": {"timestamp": now, "version": VERSION} | meta,
        }

    def known(device_id: str) -> Device:
        if device_id not in store.devices:
            raise Denied(404, "DEVICE_NOT_FOUND", f"There is no device '{device_id}'.")
        return store.devices[device_id]

    @router.get("/devices")
    async def devices(skip: Skip = 0, limit: Limit = 100) -> Json:
        """All devices."""
        page = [_public(device) for device in list(store.devices.values())[skip : skip + limit]]
        return envelope(page, skip=skip, limit=limit, total=len(store.devices))

    @router.get("/devices/{device_id}")
    async def device(device_id: str) -> Json:
        """One device, with its newest telemetry."""
        return envelope(_public(known(device_id)))

    @router.get("/devices/{device_id}/telemetry")
    async def telemetry(
        device_id: str, skip: Skip = 0, limit: Limit = 100, since: str | None = None
    ) -> Json:
        """Records, newest first."""
        rows = store.telemetry(known(device_id).id, skip, limit, since)
        total = store.count(device_id)
        return envelope(rows, device_id=device_id, skip=skip, limit=limit, total=total)

    return router


def control_routes(store: Store, control: Control, tokens: Tokens) -> APIRouter:
    """`/control`: how the sandbox behaves, and what it has seen."""
    router = APIRouter(prefix="/control", dependencies=[Depends(tokens.check)], tags=["sandbox"])

    @router.get("")
    async def look() -> Json:
        """The mood, and the counts a test wants."""
        return {
            "trouble": dataclasses.asdict(control.trouble),
            "requests": control.requests,
            "records": store.count(),
            "readings": sum(device.readings for device in store.devices.values()),
            "duplicates": len(store.duplicates()),
            "holes": store.holes(),
        }

    @router.put("")
    async def behave(mood: Mood) -> Json:
        """Change the mood; an empty object makes it well again."""
        control.set(**mood.model_dump())
        return await look()

    return router


def _public(device: Device) -> Json:
    shown = dataclasses.asdict(device)
    del shown["api_key"]
    return shown
