"""A status service on a real port, with a made-up gateway behind the daemon's real socket."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp

from agent.client import Role
from agent.status.app import make, plain
from agent.status.daemon import Daemon
from agent.status.identity import Signed
from agent.status.listening import bound
from agent.status.service import Server
from tests.status.gatewaytwin import TOKENS, GatewayTwin, listening

NAMES = frozenset({"localhost", "127.0.0.1", "::1", "gateway.bakery.lan"})


@pytest.fixture(scope="session")
def twin() -> GatewayTwin:
    """A bakery with an hour behind it."""
    return GatewayTwin()


@pytest.fixture(scope="session")
def routes() -> FastAPI:
    """Made once: it takes longer than most tests."""
    return plain()


@dataclass
class Service:
    """Where it listens, and how to ask it."""

    twin: GatewayTwin
    port: int
    client: httpx.AsyncClient

    async def get(
        self,
        path: str,
        role: Role | None = Role.VIEWER,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One GET as somebody."""
        return await self.client.get(path, headers=bearer(role) | dict(headers or {}))


def bearer(role: Role | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[role]}"} if role else {}


@pytest.fixture
def signed() -> Signed | None:
    """The judge of platform tokens; a module that wants one overrides this."""
    return None


@pytest.fixture
async def service(
    twin: GatewayTwin, signed: Signed | None, routes: FastAPI, tmp_path: Path
) -> AsyncIterator[Service]:
    """The whole service; limits begin anew with every test."""
    now = asyncio.get_running_loop().time
    path = tmp_path / "fieldpost.sock"
    app = make(Daemon(path, now), NAMES, signed, now, routes)
    async with listening(twin, path), served(app, twin) as service:
        yield service


@asynccontextmanager
async def served(
    app: ASGIApp, twin: GatewayTwin, build: type[Server] = Server
) -> AsyncIterator[Service]:
    """An application on a port of its own, with the product's connections or with other ones."""
    async with asyncio.TaskGroup() as group:
        with bound("127.0.0.1:0") as listener:
            server = build(app, listener)
            task = group.create_task(server.run(), name="status service")
            port = listener.getsockname()[1]
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                yield Service(twin, port, client)
            server.stop.set()
            await task


async def raw(port: int, text: bytes, *, within_s: float = 2.0) -> bytes:
    """Everything a connection answers to these bytes until it is closed, or time is up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        writer.write(text)
        async with asyncio.timeout(within_s):
            while part := await reader.read(65536):
                answer += part
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return answer


def request(path: str = "/api/v1/status", **headers: str) -> bytes:
    """A request by hand."""
    lines: Mapping[str, str] = {"Host": "localhost", **headers}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"GET {path} HTTP/1.1\r\n{text}\r\n".encode()
