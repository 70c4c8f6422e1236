"""The routes outside the API: the page's files, probes, metrics, the API's description."""

from pathlib import Path

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from agent.client import Role
from agent.errors import UnavailableError
from agent.status import well
from agent.status.answer import passed
from agent.status.asked import TheDaemon, at_least, known_parameters

PAGES = Path(__file__).parent / "pages"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/api/docs": ("docs.html", "text/html; charset=utf-8"),
    "/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
}

router = APIRouter(include_in_schema=False)


async def file(request: Request) -> Response:
    """One of the page's files: small, static, the same for everybody."""
    name, kind = FILES[request.url.path]
    body = (PAGES / name).read_bytes()
    return Response(body, media_type=kind, headers={"Cache-Control": "no-cache"})


for path in FILES:
    router.add_api_route(path, file, response_class=Response)


@router.get("/livez", response_class=Response)
async def livez(request: Request, daemon: TheDaemon) -> Response:
    """Whether the daemon's loop turns and its store answers: one word."""
    return await _probe(request, daemon)


@router.get("/readyz", response_class=Response)
async def readyz(request: Request, daemon: TheDaemon) -> Response:
    """Whether a plan is loaded, the store open and the drivers started: one word."""
    return await _probe(request, daemon)


@router.get(
    "/metrics",
    response_class=Response,
    dependencies=[at_least(Role.VIEWER), Depends(known_parameters)],
)
async def metrics(daemon: TheDaemon) -> Response:
    """For Prometheus."""
    from agent.status import metrics as exposition  # noqa: PLC0415 - 3 MB for whoever scrapes

    body = exposition.text(await daemon.snapshot())
    return Response(body, headers={"Content-Type": exposition.CONTENT_TYPE})


@router.get("/api/openapi.json", response_class=Response, dependencies=[at_least(Role.VIEWER)])
async def openapi(request: Request) -> Response:
    """The API's description."""
    body: bytes = request.app.state.description()  # made when first asked for: it takes 0.1 s
    return Response(body, media_type="application/json")


async def _probe(request: Request, daemon: TheDaemon) -> Response:
    try:
        found = well.probe(await daemon.snapshot())
    except UnavailableError:
        found = {"loop": False, "store": False}
    well_now = all(found.values())
    text = "ok" if well_now else "not ok"
    who = passed(request).identity
    if "verbose" in request.query_params and who is not None:
        lines = [f"[{'+' if fine else '-'}]{name} {_word(fine)}" for name, fine in found.items()]
        text = "\n".join((*lines, text))
    return Response(text + "\n", 200 if well_now else 503, media_type="text/plain")


def _word(fine: bool) -> str:  # noqa: FBT001 - it is the whole question
    return "ok" if fine else "failed"
