"""The status service for the faults of the local surface: whole, or with one defence taken away."""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.status.app import make
from agent.status.daemon import Daemon
from agent.status.gate import Gate, Passed
from tests.status.conftest import NAMES, Service, served
from tests.status.gatewaytwin import GatewayTwin, listening

Break = Callable[[ASGIApp], ASGIApp]
MINUTE_S = 61.0


class AnyName(Gate):
    """Broken: whatever stands in Host and Origin is accepted."""

    def _check_origin(self, headers: Headers) -> None:
        pass


class NoGate:
    """Broken: who asks, from where and how often does not matter."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = {**scope.get("state", {}), "passed": Passed("req_none")}
        await self._app({**scope, "state": state}, receive, send)


def unchanged(app: ASGIApp) -> ASGIApp:
    return app


@asynccontextmanager
async def serving(
    twin: GatewayTwin,
    routes: FastAPI,
    folder: Path,
    now: Callable[[], float] | None = None,
    broken: Break = unchanged,
) -> AsyncIterator[Service]:
    """The service with a clock of its own; by default a minute passes with every look at it."""
    steps = itertools.count(1)
    clock = now or (lambda: next(steps) * MINUTE_S)
    path = folder / "fieldpost.sock"
    async with listening(twin, path):
        app = broken(make(Daemon(path, clock), NAMES, None, clock, routes))
        async with served(app, twin) as service:
            yield service


def any_name(app: ASGIApp) -> ASGIApp:
    """The same gate without its allow-list."""
    assert isinstance(app, Gate)
    return AnyName(app._app, app._names, app._door)  # noqa: SLF001 - taken apart to be broken


def no_gate(app: ASGIApp) -> ASGIApp:
    """What is behind the gate, bare."""
    assert isinstance(app, Gate)
    return NoGate(app._app)  # noqa: SLF001 - taken apart to be broken


def in_a_path(text: str) -> str:
    """One segment of a path, whatever is in it."""
    return quote(text, safe="", errors="surrogatepass") or "%20"
