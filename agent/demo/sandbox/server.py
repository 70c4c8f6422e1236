"""The sandbox as a whole: one store, two TLS listeners on loopback, credentials for what comes."""

import asyncio
import contextlib
import secrets
import socket
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig

from agent.clock import Clock, SystemClock
from agent.demo.sandbox import authority
from agent.demo.sandbox.archive import PATH, archive_routes
from agent.demo.sandbox.devices import DeviceRoutes, Refused, prefix
from agent.demo.sandbox.people import Tokens, control_routes, reading_routes
from agent.demo.sandbox.store import Device, Store
from agent.demo.sandbox.trouble import Control, Troubled
from agent.demo.sandbox.wire import Wires

HOST = "127.0.0.1"
NAMES = ("localhost", HOST)
TICK_S = 1.0
UNTOLD: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}


class Sandbox:
    """A cloud on this machine that keeps the platform's contract, used with `async with`.

    Args:
        folder: where what arrives is kept; in memory when None.
        port, certificate_port: of the listener for keys and of the one that asks for a
            certificate; 0 = any free one.
        period: how long the server's certificate is valid.
        names: what its certificate names.

    Attributes:
        control: how it misbehaves.
        store: what has arrived.
        routes: the devices' side; `routes.databases` is what its health probe tells.
        url, certificate_url: base addresses of the two listeners.
        archive_url, archive_token: of the `kind: http` far end.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        port: int = 0,
        certificate_port: int = 0,
        period: authority.Period = authority.ALWAYS,
        names: tuple[str, ...] = NAMES,
    ) -> None:
        self._folder = folder
        self._ports = [port, certificate_port]
        self._clock: Clock = SystemClock()
        self._wires = Wires()
        self._tokens = Tokens(secrets.token_urlsafe(32))
        self._servers: list[_Server] = []
        self._stack = contextlib.AsyncExitStack()
        self._authority = authority.Authority()
        self._pair = self._authority.server(names, period)
        self.archive_token = secrets.token_urlsafe(32)
        self.control = Control()

    async def __aenter__(self) -> Self:
        """Listen."""
        self.store = Store(self._folder / "sandbox.db" if self._folder else None)
        self.routes = DeviceRoutes(self.store, self._wires, self._clock)
        self._app = self._application()
        self._group = await self._stack.enter_async_context(asyncio.TaskGroup())
        await self.back()
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Stop listening, and forget what was kept in memory."""
        await self.away()
        await self._stack.aclose()
        self.store.close()

    @property
    def ca(self) -> bytes:
        """The certificate to trust, PEM."""
        return self._authority.pem

    @property
    def authority(self) -> authority.Authority:
        """Who signs the sandbox's certificates."""
        return self._authority

    @property
    def url(self) -> str:
        """Base address for requests with a key."""
        return f"https://{HOST}:{self._ports[0]}"

    @property
    def certificate_url(self) -> str:
        """Base address for requests with a client certificate."""
        return f"https://{HOST}:{self._ports[1]}"

    @property
    def archive_url(self) -> str:
        """Address of the `kind: http` far end."""
        return self.url + PATH

    def token(self, subject: str = "demo") -> str:
        """A bearer token for reading back and for `/control`."""
        return self._tokens.issue(subject)

    def register(self, device_id: str, name: str | None = None) -> Device:
        """Make a device, or find it; its key opens the ingest."""
        key = f"tesa_dak_{prefix(device_id)}_{secrets.token_hex(16)}"
        fresh = Device(device_id, name or device_id, key)
        return self.store.devices.setdefault(device_id, fresh)

    def bundle(self, device_id: str) -> bytes:
        """A credential bundle of form A for a device, a zip with its API key."""
        device = self.register(device_id)
        key, name = device.api_key, device.name
        return authority.server_tls_bundle(device_id, name, key, self.url, self.ca)

    def certificate_bundle(self, device_id: str) -> bytes:
        """A credential bundle of form C for a device, a zip with a certificate and its key."""
        self.register(device_id)
        pair = self._authority.client(device_id)
        return authority.mutual_tls_bundle(device_id, pair, self.certificate_url, self.ca)

    async def away(self) -> None:
        """Go: connections are cut, new ones are refused."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.leave.set()
        for server in servers:
            await server.gone.wait()
        await self._wires.cut_all()

    async def back(self) -> None:
        """Come back on the same ports."""
        for index, needs_certificate in enumerate((False, True)):
            listener = socket.create_server((HOST, self._ports[index]), backlog=128)
            self._ports[index] = listener.getsockname()[1]
            server = _Server(self._settings(needs_certificate=needs_certificate))
            self._servers.append(server)
            self._group.create_task(server.run_on(listener), name=f"sandbox {index}")
        for server in self._servers:
            await server.ready.wait()

    def _application(self) -> FastAPI:
        app = FastAPI(
            title="fieldpost sandbox", docs_url=None, redoc_url=None, telemetry=UNTOLD,
            redirect_slashes=False,
        )  # fmt: skip
        app.include_router(self.routes.router)
        app.include_router(reading_routes(self.store, self._tokens, self._clock))
        app.include_router(control_routes(self.store, self.control, self._tokens))
        app.include_router(archive_routes(self.store, self.archive_token))
        app.add_exception_handler(Refused, _refusal)
        app.add_exception_handler(RequestValidationError, _bad_request)
        return app

    def _settings(self, *, needs_certificate: bool) -> uvicorn.Config:
        troubled = Troubled(
            self._app, self.control, self._wires, spared=("/control", "/api/v1/devices")
        )
        config = uvicorn.Config(
            troubled, http=self._wires.protocol(), ws="none", lifespan="off", log_config=None,
            access_log=False, server_header=False, loop="asyncio",
        )  # fmt: skip
        config.load()
        config.ssl = _context(self._pair, self.ca if needs_certificate else None)
        return config


class _Server(uvicorn.Server):
    """Inside somebody else's program: no signals, no polling, and it says when it is there."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.leave = asyncio.Event()
        self.gone = asyncio.Event()

    async def run_on(self, listener: socket.socket) -> None:
        """Serve until told to leave."""
        try:
            await self.serve(sockets=[listener])
        finally:
            self.gone.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        while not self.leave.is_set():
            await self.on_tick(0)  # the date that stands in every answer
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self.leave.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _context(pair: authority.Pair, client_ca: bytes | None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile() as both:
        both.write(pair.private_key + pair.certificate)
        both.flush()
        context.load_cert_chain(both.name)
    if client_ca:
        context.load_verify_locations(cadata=client_ca.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def _refusal(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)  # noqa: S101 -- the only class it is registered for
    return JSONResponse(error.body, error.status)


async def _bad_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 -- as above
    first = error.errors()[0]
    details = {"field": str(first["loc"][-1]), "reason": first["type"]}
    told = {"code": "VALIDATION_ERROR", "message": first["msg"], "details": details}
    return JSONResponse({"success": False, "error": told}, 400)
