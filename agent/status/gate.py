"""The gate every request passes before anything of ours sees it: who, from where, how often.

A plain ASGI wrapper around the application. It refuses in the platform's envelope and puts the
security headers on everything, whatever comes out of the application.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.errors import FieldpostError
from agent.status import identity, refusal
from agent.status.door import Door
from agent.status.identity import Identity
from agent.status.refusal import Code, Refusal

API = "/api/v1"
OPEN = frozenset(
    {"/", "/page.css", "/page.js", "/icon.svg", "/livez", "/readyz", "/api/docs", "/docs.js"}
)
METHODS = ("GET", "HEAD")
REQUEST_ID_MAX = 64
HEADER_MAX = 8192  # bytes; what comes in one piece passes the limit of the parser
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(slots=True)
class Passed:
    """What the gate found out, for the routes: `request.state.passed`."""

    request_id: str
    identity: Identity | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Gate:
    """Wraps the application.

    Args:
        app: what is behind it.
        names: what may stand in Host and Origin, lower case, without ports.
        door: judges tokens.
    """

    def __init__(
        self,
        app: ASGIApp,
        names: frozenset[str],
        door: Door,
    ) -> None:
        self._app = app
        self._names = names
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or say why not."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        passed = Passed(_request_id(headers))
        answer = _Answer(send, passed, secret=scope["path"].startswith("/api/v1"))
        try:
            await self._admit(scope, headers, passed)
        except FieldpostError as error:
            await answer.refuse(refusal.of(error))
            return
        state = {**scope.get("state", {}), "passed": passed}
        await self._app({**scope, "method": "GET", "state": state}, receive, answer.send)

    async def _admit(self, scope: Scope, headers: Headers, passed: Passed) -> None:
        self._check_origin(headers)
        _check_form(scope["method"], headers)
        peer = scope["client"][0] if scope.get("client") else ""
        token = identity.bearer(headers.get("authorization"))
        if token is None and scope["path"] in OPEN:
            return
        passed.identity = await self._door.open(scope["path"], token, peer, passed.headers)

    def _check_origin(self, headers: Headers) -> None:
        """Against DNS rebinding (Host) and foreign pages (Origin)."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name(hosts[0]) not in self._names:
            message = "This gateway does not go by that name (status.names)."
            raise Refusal(Code.MISDIRECTED, message)
        origin = headers.get("origin")
        if origin is None:
            return
        scheme, _, place = origin.partition("://")
        if scheme not in ("http", "https") or _name(place) not in self._names:
            message = "Pages of other sites may not ask this gateway."
            raise Refusal(Code.FORBIDDEN, message, details={"field": "Origin", "reason": "foreign"})


class _Answer:
    """Sends what the application answers, with the headers that belong on everything."""

    def __init__(self, send: Send, passed: Passed, *, secret: bool) -> None:
        self._send = send
        self._passed = passed
        self._secret = secret

    async def send(self, message: Message) -> None:
        """Pass on one message of the application."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update({**HEADERS, **self._passed.headers})
            headers["X-Request-ID"] = self._passed.request_id
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)

    async def refuse(self, error: Refusal) -> None:
        """Answer with an error of our own."""
        body = refusal.envelope(error, self._passed.request_id)
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **error.headers,
        }
        raw = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
        await self.send({"type": "http.response.start", "status": error.status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})


def _check_form(method: str, headers: Headers) -> None:
    """GET and HEAD without a body, and nothing else."""
    if method not in METHODS:
        message = "This API is read-only: GET and HEAD. What changes something is in the CLI."
        raise Refusal(Code.METHOD, message, headers={"Allow": ", ".join(METHODS)})
    if sum(len(name) + len(value) for name, value in headers.raw) > HEADER_MAX:
        details = {"field": "header", "reason": "too large"}
        raise Refusal(Code.VALIDATION, "The header of this request is too large.", details=details)
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        message = "A request here has no body."
        details = {"field": "body", "reason": "not read"}
        raise Refusal(Code.VALIDATION, message, headers={"Connection": "close"}, details=details)


def _name(host: str) -> str:
    """A Host without port and brackets, lower case; with anything odd in it, something unknown."""
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        if not bracket:
            return ""
        port = port.removeprefix(":")
    else:
        name, _, port = host.partition(":")
    return name.lower() if port.isdigit() or not port else ""


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    fits = 0 < len(given) <= REQUEST_ID_MAX and given.isascii() and given.isprintable()
    return given if fits else refusal.new_request_id()
