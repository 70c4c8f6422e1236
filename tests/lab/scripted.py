"""An HTTP server on loopback that answers what the test wrote, byte by byte if need be."""

import asyncio
import json
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

Piece = bytes | float  # a float waits so many seconds


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[Asked], Iterable[Piece]]


class Scripted:
    """Answers requests by `answer`; `async with`.

    Args:
        tls: None: unencrypted.

    Attributes:
        answer: makes the pieces of an answer; afterwards the connection is closed.
        asked: every request so far.
    """

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self._tls = tls
        self.asked: list[Asked] = []
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0.01)  # a script that still waits is not waited for

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            asked = await _request(reader)
            self.asked.append(asked)
            for piece in self.answer(asked):
                if isinstance(piece, float):
                    await asyncio.sleep(piece)
                else:
                    writer.write(piece)
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            await asyncio.sleep(0)
            self._open.discard(writer)


def reply(
    status: int = 200, body: bytes = b"", media: str = "application/json", *more: str
) -> list[Piece]:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Type: {media}", *more]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close"])
    return [head.encode() + b"\r\n\r\n" + body]


def always(*pieces: Piece) -> Answer:
    """The same answer to everything."""
    return lambda _: pieces


def echo(asked: Asked, **changed: Any) -> list[Piece]:
    """The receipt of `kind: http`, or a lie about it."""
    document = asked.json()
    named = {name: document[name] for name in ("epoch", "first", "last", "count")}
    return reply(200, json.dumps(named | changed).encode())


def in_turn(answers: Sequence[Answer]) -> Answer:
    """One after the other; the last for ever."""
    left = list(answers)

    def answer(asked: Asked) -> Iterable[Piece]:
        return (left.pop(0) if len(left) > 1 else left[0])(asked)

    return answer


async def _request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, path, _ = first.split(" ")
    return Asked(method, path, headers, body)
