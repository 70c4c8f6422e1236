"""Misbehaviour on demand: what clouds do to gateways on bad days."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.demo.sandbox.wire import Wires

# of ASGI 3.0, asgi.readthedocs.io
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PORTAL = b"<!DOCTYPE html><html><body>Welcome! Please sign in to use this network.</body></html>"


class Body(StrEnum):
    """What kind of body comes with a refused request."""

    JSON = "json"
    HTML = "html"
    TEXT = "text"


MEDIA = {Body.JSON: "application/json", Body.HTML: "text/html", Body.TEXT: "text/plain"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """How the sandbox misbehaves towards devices; the default is not at all.

    Attributes:
        latency_s: wait before every answer, seconds.
        status: answer with this HTTP status and store nothing.
        body, code: the kind of body that goes with `status`, and the code in a JSON one.
        retry_after: text of the header `Retry-After` that goes with `status`.
        location: text of the header `Location` that goes with `status` (a redirect).
        portal: answer 200 `text/html` and store nothing, as a captive portal does.
        drop_answer: store, then cut the connection instead of answering.
        truncate: store, then answer with half of the body.
        fail_every: of each batch, every n-th record fails with a processing error; 0 = none.
        poison: a record with this metric fails; the whole request with 500 when `poison_all`.
        times: for so many requests, then well again; None = until changed.
    """

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


WELL = Trouble()


class Control:
    """The switch of the sandbox's moods, and a count of what was asked of it."""

    def __init__(self) -> None:
        self.trouble = WELL
        self.requests = 0

    def set(self, **changes: Any) -> None:
        """Misbehave as `Trouble(**changes)` says, from the next request on."""
        self.trouble = Trouble(**changes)

    def clear(self) -> None:
        """Behave."""
        self.trouble = WELL

    def take(self) -> Trouble:
        """The mood for one more request."""
        self.requests += 1
        now = self.trouble
        if now.times is not None:
            left = now.times - 1
            self.trouble = dataclasses.replace(now, times=left) if left > 0 else WELL
        return now


class Troubled:
    """ASGI middleware: puts the trouble of the hour between devices and the application.

    What it takes from `control` travels on in the scope, so that routes see the same mood.
    """

    def __init__(
        self, app: Application, control: Control, wires: Wires, spared: tuple[str, ...]
    ) -> None:
        self._app = app
        self._control = control
        self._wires = wires
        self._spared = spared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or misbehave."""
        if scope["type"] != "http" or scope["path"].startswith(self._spared):
            await self._app(scope, receive, send)
            return
        trouble = self._control.take()
        scope["fieldpost.trouble"] = trouble
        if trouble.latency_s:
            await asyncio.sleep(trouble.latency_s)
        if not self._wires.is_open(scope["client"]):
            return  # nobody waits any more
        if trouble.portal:
            await _answer(send, 200, b"text/html", PORTAL)
        elif trouble.status is not None:
            await _answer(send, trouble.status, *_refusal(trouble), headers=_extra(trouble))
        elif trouble.drop_answer or trouble.truncate:
            await self._spoil(scope, receive, send, trouble)
        else:
            await self._app(scope, receive, send)

    async def _spoil(self, scope: Scope, receive: Receive, send: Send, trouble: Trouble) -> None:
        """Do the work, then break the answer."""

        async def spoiled(message: Message) -> None:
            if message["type"] == "http.response.body" and trouble.truncate:
                body = message.get("body", b"")
                await send({**message, "body": body[: len(body) // 2], "more_body": True})
            elif trouble.truncate:
                await send(message)

        await self._app(scope, receive, spoiled)
        await self._wires.cut(scope["client"])


async def _answer(
    send: Send,
    status: int,
    media: bytes,
    body: bytes,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    length = str(len(body)).encode()
    named = [(b"content-type", media), (b"content-length", length), *headers]
    start: Message = {"type": "http.response.start", "status": status, "headers": named}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _refusal(trouble: Trouble) -> tuple[bytes, bytes]:
    texts = {
        Body.JSON: b'{"success":false,"code":"%s","error":"on purpose"}' % trouble.code.encode(),
        Body.HTML: b"<html><body><h1>%d</h1></body></html>" % (trouble.status or 0),
        Body.TEXT: b"Service temporarily unavailable",
    }
    return MEDIA[trouble.body].encode(), texts[trouble.body]


def _extra(trouble: Trouble) -> tuple[tuple[bytes, bytes], ...]:
    named = ((b"retry-after", trouble.retry_after), (b"location", trouble.location))
    return tuple((name, value.encode()) for name, value in named if value is not None)
