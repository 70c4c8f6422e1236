"""The routes under /api/v1: what the daemon says, in the platform's envelope."""

from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from agent.client import Role
from agent.errors import DeviceNotFoundError
from agent.plan import Json
from agent.status import answer, cards, models, queue_models, well
from agent.status.asked import (
    LIMIT,
    Limit,
    Since,
    Skip,
    TheDaemon,
    at_least,
    known_parameters,
)
from agent.status.envelope import Answer, Listing, Model

router = APIRouter(prefix="/api/v1", dependencies=[Depends(known_parameters)])

VIEWER = [at_least(Role.VIEWER)]
OPERATOR = [at_least(Role.OPERATOR)]
ADMIN = [at_least(Role.ADMIN)]

DeviceId = Annotated[str, Path(description="The key under `devices:` in the configuration.")]
Resolution = Annotated[Literal["raw", "5min"], Query(description="Samples, or five-minute steps.")]
OneDestination = Annotated[str | None, Query(description="Only what this one refused.")]
OnePoint = Annotated[str | None, Query(description="Only this point of the device.")]
State = Annotated[
    Literal["ok", "late", "lost", "never", "bad-data", "starting", "off"] | None,
    Query(description="Only devices in this state."),
]


@router.get("/status", response_model=Answer[models.Status], dependencies=VIEWER)
async def status(request: Request, daemon: TheDaemon) -> Response:
    """Everything the page shows: words, score, problems, destinations, machine, cards."""
    snapshot = await daemon.snapshot()
    data = {**snapshot["status"], "cards": cards.of(snapshot["devices"])}
    return answer.tagged(request, data, Answer[models.Status])


@router.get("/health", dependencies=VIEWER, response_class=Response)
async def health(daemon: TheDaemon) -> Response:
    """Health in the format of draft-inadarei-api-health-check-06; 503 when it fails."""
    body = well.health(await daemon.snapshot())
    code = 503 if body["status"] == "fail" else 200
    return Response(orjson.dumps(body), code, media_type="application/health+json")


@router.get("/devices", response_model=Listing[models.DeviceInList], dependencies=VIEWER)
async def devices(
    request: Request,
    daemon: TheDaemon,
    skip: Skip = 0,
    limit: Limit = LIMIT,
    state: State = None,
) -> Response:
    """All devices in the order of the configuration."""
    snapshot = await daemon.snapshot()
    found = [d for d in snapshot["devices"].values() if state in (None, d["state"])]
    rows = [cards.in_list(device) for device in found[skip : skip + limit]]
    part = {"skip": skip, "limit": limit, "total": len(found)}
    return answer.tagged(request, rows, Listing[models.DeviceInList], **part)


@router.get("/devices/{device_id}", response_model=Answer[models.Device], dependencies=VIEWER)
async def device(request: Request, daemon: TheDaemon, device_id: DeviceId) -> Response:
    """One device with its score, points, newest values and counters."""
    snapshot = await daemon.snapshot()
    found = _named(snapshot, device_id)
    return answer.tagged(request, found, Answer[models.Device])


@router.get(
    "/devices/{device_id}/telemetry", response_model=models.TelemetryAnswer, dependencies=VIEWER
)
async def telemetry(  # noqa: PLR0913, PLR0917 - one argument for each parameter of the route
    request: Request,
    daemon: TheDaemon,
    device_id: DeviceId,
    since: Since = None,
    limit: Limit = LIMIT,
    resolution: Resolution = "raw",
    point: OnePoint = None,
) -> Response:
    """What a device said lately, from memory, oldest first."""
    question = {"device": device_id, "since": since, "limit": limit, "resolution": resolution}
    found = await daemon.call("history", {k: v for k, v in question.items() if v is not None})
    rows = cards.only(found["samples"], point)
    about = {
        "device_id": device_id,
        "count": len(rows),
        "resolution": resolution,
        "next_since": rows[-1]["timestamp"] if rows else since,
        "complete_since": found["complete_since"],
    }
    return answer.wrapped(request, rows, models.TelemetryAnswer, **about)


@router.get("/destinations", response_model=Listing[models.DestinationInList], dependencies=VIEWER)
async def destinations(
    request: Request, daemon: TheDaemon, skip: Skip = 0, limit: Limit = LIMIT
) -> Response:
    """All destinations, each with its word, backlog and next try."""
    snapshot = await daemon.snapshot()
    rows = [{"id": name, **d} for name, d in snapshot["status"]["destinations"].items()]
    return _part(request, rows, Listing[models.DestinationInList], skip, limit)


@router.get("/events", response_model=Listing[models.Event], dependencies=OPERATOR)
async def events(
    request: Request,
    daemon: TheDaemon,
    since: Since = None,
    skip: Skip = 0,
    limit: Limit = LIMIT,
) -> Response:
    """The last 200 changes of state, oldest first; with `since` only those after it."""
    rows = cards.after((await daemon.call("events"))["events"], since)
    return _part(request, rows, Listing[models.Event], skip, limit)


@router.get("/problems", response_model=Listing[models.Problem], dependencies=OPERATOR)
async def problems(
    request: Request, daemon: TheDaemon, skip: Skip = 0, limit: Limit = LIMIT
) -> Response:
    """Findings with stable codes and one thing to do for each."""
    rows = (await daemon.snapshot())["status"]["health"]["problems"]
    return _part(request, rows, Listing[models.Problem], skip, limit)


@router.get("/queue", response_model=Answer[queue_models.Queue], dependencies=OPERATOR)
async def queue(request: Request, daemon: TheDaemon) -> Response:
    """Backlog per destination, what it refused, and the loss ledger."""
    found = await daemon.call("queue")
    data = {"store": found["store"], "destinations": found["destinations"]}
    return answer.wrapped(request, data, Answer[queue_models.Queue])


@router.get("/queue/rejected", response_model=Listing[queue_models.Rejected], dependencies=OPERATOR)
async def rejected(
    request: Request,
    daemon: TheDaemon,
    destination: OneDestination = None,
    skip: Skip = 0,
    limit: Limit = LIMIT,
) -> Response:
    """Samples that a destination refused, each with its words, the newest first."""
    asked = {"destination": destination or "", "skip": skip, "limit": limit}
    found = await daemon.call("queue.rejected", asked)
    part = {"skip": skip, "limit": limit, "total": found["total"]}
    return answer.wrapped(request, found["rejected"], Listing[queue_models.Rejected], **part)


@router.get("/tokens", response_model=Listing[models.Token], dependencies=ADMIN)
async def tokens(
    request: Request, daemon: TheDaemon, skip: Skip = 0, limit: Limit = LIMIT
) -> Response:
    """Names, roles and last use of the local tokens; never their hashes."""
    rows = [
        {key: value for key, value in token.items() if key != "sha256"}
        for token in (await daemon.call("tokens"))["tokens"]
    ]
    return _part(request, rows, Listing[models.Token], skip, limit)


@router.get("/audit", response_model=Listing[models.AuditLine], dependencies=ADMIN)
async def audit(
    request: Request, daemon: TheDaemon, skip: Skip = 0, limit: Limit = LIMIT
) -> Response:
    """The newest lines of the audit log, oldest first: who did what, and who was kept out."""
    rows = (await daemon.call("audit"))["lines"]
    return _part(request, rows, Listing[models.AuditLine], skip, limit)


def _part(request: Request, rows: list[Json], kind: type[Model], skip: int, limit: int) -> Response:
    """A part of a list."""
    part = {"skip": skip, "limit": limit, "total": len(rows)}
    return answer.wrapped(request, rows[skip : skip + limit], kind, **part)


def _named(snapshot: Json, device_id: str) -> Json:
    found: Json | None = snapshot["devices"].get(device_id)
    if found is None:
        message = f"There is no device '{device_id[:64]}'."
        if near := cards.nearest(device_id, snapshot["devices"]):
            message += f" Did you mean '{near}'?"
        raise DeviceNotFoundError(message)
    return found
