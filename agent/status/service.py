"""The process: socket and settings put together, served until told to stop or until idle."""

import asyncio
import logging as stdlib
import signal
import socket
import ssl
import sys
from collections.abc import Sequence

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.server import ServerState

from agent import logging
from agent.errors import FieldpostError
from agent.status import listening, settings
from agent.status.app import make
from agent.status.daemon import Daemon
from agent.status.identity import Signed
from agent.status.listening import NotServable
from agent.status.protocol import HEADER_MAX, HEADER_S, Protocol
from agent.status.settings import Settings

IDLE_S = 120.0  # without a request; systemd starts us again with the next one
LOOK_S = 10.0
FINISH_S = 2.0  # for answers under way when told to stop
NOT_SERVABLE = 78  # EX_CONFIG; the unit does not restart it

log = logging.get("status")


def serve(arguments: Sequence[str]) -> int:
    """Serve; the body of `fieldpost-status`.

    Returns:
        0 stopped or idle, 78 not to be served like this.
    """
    logging.configure()
    stdlib.getLogger("uvicorn").setLevel(stdlib.ERROR)  # it warns about every malformed request
    found = settings.read(arguments)
    try:
        with _listener(found) as listener:
            asyncio.run(_serve(found, listener))
    except FieldpostError as error:
        return _not_servable(error)
    return 0


def _not_servable(error: FieldpostError) -> int:
    log.error(
        f"The status page cannot be served: {error.message}.",
        event_type="status.not_served",
        action=error.action,
    )
    return NOT_SERVABLE


class Server:
    """Serves one listening socket.

    Args:
        app: the application with its gate.
        listener: bound and listening.
        context: TLS, or None on loopback.
        idle_s: end by itself after so long without a request; None: never.
        look_s: how often that is looked at.
    """

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        context: ssl.SSLContext | None = None,
        idle_s: float | None = None,
        look_s: float = LOOK_S,
    ) -> None:
        self._config = Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # whoever claims to speak for another address is not believed
            server_header=False,
            date_header=False,
            timeout_keep_alive=int(HEADER_S),
            h11_max_incomplete_event_size=HEADER_MAX,
        )
        self._listener = listener
        self._context = context
        self._idle_s = idle_s
        self._look_s = look_s
        self._state = ServerState()
        self.stop = asyncio.Event()

    async def run(self) -> None:
        """Serve until `stop` is set, or until idle."""
        self._config.load()
        server = await asyncio.get_running_loop().create_server(
            self._protocol,
            sock=self._listener,
            ssl=self._context,
            ssl_handshake_timeout=HEADER_S if self._context else None,
        )
        async with server:
            await self._until_done()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=FINISH_S)

    def _protocol(self) -> Protocol:
        return Protocol(self._config, self._state, {})

    async def _until_done(self) -> None:
        loop = asyncio.get_running_loop()
        seen, since_s = 0, loop.time()
        while not self.stop.is_set():
            try:
                async with asyncio.timeout(self._look_s):
                    await self.stop.wait()
            except TimeoutError:
                if self._state.total_requests != seen or self._state.connections:
                    seen, since_s = self._state.total_requests, loop.time()
                if self._idle_s is not None and loop.time() - since_s >= self._idle_s:
                    return


async def _serve(found: Settings, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    context = listening.tls(found, listener)
    app = make(Daemon(found.socket, loop.time), found.names, _signed(found), loop.time)
    server = Server(app, listener, context, None if found.listen else IDLE_S)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop.set)
    if found.bound:  # nobody writes there: readable means that the daemon is gone
        loop.add_reader(sys.stdin.fileno(), server.stop.set)
    log.info(
        "The status page is served.",
        event_type="status.served",
        address=str(listener.getsockname()),
    )
    await server.run()


def _listener(found: Settings) -> socket.socket:
    if found.listen:
        return listening.bound(found.listen)
    listener = listening.inherited()
    if listener is None:
        message = "there is no socket from systemd"
        raise NotServable(message, action="fieldpost-status --listen 127.0.0.1:8080")
    return listener


def _signed(found: Settings) -> Signed | None:
    """The judge of platform tokens, where a key is configured; its libraries are loaded only then.

    Raises:
        FieldpostError: the key cannot be used, or it is not known which gateway this is.
    """
    if found.status.platform_key is None:
        return None
    if found.site_id is None:
        message = "the gateway's id is not known, and platform tokens are meant for one gateway"
        raise FieldpostError(message, action="start the daemon first, or say --id")
    from agent.status import platform  # noqa: PLC0415 - 9 MB that most gateways do not need

    keys = platform.keys_in(found.secret_file(found.status.platform_key))
    return platform.PlatformTokens(keys, found.status.platform_issuer, found.site_id)
