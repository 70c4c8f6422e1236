"""The application: routes, error answers, compression, and the gate around all of it."""

import functools
from collections.abc import Callable

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from agent.errors import FieldpostError
from agent.status import api, refusal, site
from agent.status.answer import passed
from agent.status.daemon import Daemon
from agent.status.description import description
from agent.status.door import Door
from agent.status.gate import Gate
from agent.status.identity import Doorkeeper, Signed
from agent.status.refusal import Code, Refusal
from agent.status.witness import Witness

GZIP_FROM = 1000  # bytes; below, compressing costs more than it saves
GZIP_LEVEL = 5
OTHER = {404: Code.NOT_FOUND, 405: Code.METHOD, 401: Code.UNAUTHORIZED, 403: Code.FORBIDDEN}


def make(
    daemon: Daemon,
    names: frozenset[str],
    signed: Signed | None,
    now: Callable[[], float],
    routes: FastAPI | None = None,
) -> ASGIApp:
    """The whole service as one ASGI application.

    Args:
        daemon: whom to ask.
        names: what may stand in Host and Origin.
        signed: judges platform tokens; None: not accepted.
        now: seconds, monotonic.
        routes: from `plain`, when they have been made already.
    """
    app = routes or plain()
    app.state.daemon = daemon
    doorkeeper = Doorkeeper(daemon, signed, now)
    return Gate(app, names, Door(doorkeeper, Witness(daemon, now), now))


def plain() -> FastAPI:
    """The routes without the gate."""
    app = FastAPI(
        title="fieldpost status API",
        version=refusal.API_VERSION,
        description="What a gateway says about itself. Read-only.",
        docs_url=None,  # they load from a CDN: blank without internet, and blocked by our CSP
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would be built from the Host header
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.include_router(api.router)
    app.include_router(site.router)
    app.add_exception_handler(FieldpostError, _refused)
    app.add_exception_handler(RequestValidationError, _misread)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_FROM, compresslevel=GZIP_LEVEL)
    app.state.description = functools.cache(lambda: orjson.dumps(description(app)))
    return app


async def _refused(request: Request, error: Exception) -> Response:
    found = error if isinstance(error, FieldpostError) else FieldpostError(str(error))
    return _answer(request, refusal.of(found))


async def _misread(request: Request, error: Exception) -> Response:
    """What FastAPI found wrong with the parameters: the first of them."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    name = str((first.get("loc") or ("",))[-1])
    message = f"{name}: {first.get('msg', 'not understood')}."
    details = {"field": name, "reason": str(first.get("type", "malformed"))}
    return _answer(request, Refusal(Code.VALIDATION, message, details=details))


async def _unrouted(request: Request, error: Exception) -> Response:
    code = error.status_code if isinstance(error, HTTPException) else 404
    return _answer(request, Refusal(OTHER.get(code, Code.NOT_FOUND), "There is nothing here."))


async def _failed(request: Request, _error: Exception) -> Response:
    """A bug of ours: the id is in the log with the traceback, and nothing else leaves."""
    return _answer(request, Refusal(Code.INTERNAL, "Something went wrong here; the log has it."))


def _answer(request: Request, found: Refusal) -> Response:
    body = refusal.envelope(found, passed(request).request_id)
    return Response(body, found.status, found.headers, media_type="application/json")
