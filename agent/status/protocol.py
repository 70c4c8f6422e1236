"""HTTP on one connection: uvicorn's parser with the deadlines and places it does not have.

uvicorn waits for ever for the rest of a request, and says in plain text what we say in envelopes.
"""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Iterable

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from agent.status import refusal
from agent.status.refusal import Code, Refusal

HEADER_S = 5.0  # until request line and header are complete
REQUEST_S = 10.0  # from there until the answer has been taken
HEADER_MAX = 8192  # bytes of request line and header
CONNECTIONS_MAX = 32
PER_PEER_MAX = 8  # off loopback, where all peers have different addresses


class Protocol(H11Protocol):
    """One connection."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Give it a place, or say at once that there is none."""
        super().connection_made(transport)
        if _full(self.client, self._others()):
            message = "Too many connections; try again in a moment."
            self._refuse(Refusal(Code.UNAVAILABLE, message, headers={"Retry-After": "5"}))
            return
        self._within(HEADER_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a complete header buys time for the answer, a part of one buys none."""
        if self.transport.is_closing():
            return
        waiting = not self._answering
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._answering and waiting:
            self._within(REQUEST_S)
        elif self._deadline is None:
            self._within(HEADER_S)

    def on_response_complete(self) -> None:
        """From here on uvicorn's own limit for idle connections counts."""
        self._cancel()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed is told so in the envelope."""
        del msg  # uvicorn's own words
        message = "This is not a request that can be understood."
        self._refuse(Refusal(Code.VALIDATION, message))

    @property
    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None until the first request
        return cycle is not None and not cycle.response_complete

    def _others(self) -> Iterable[str]:
        for other in self.connections - {self}:
            client = getattr(other, "client", None)
            yield client[0] if client else ""

    def _within(self, seconds: float) -> None:
        self._cancel()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, error: Refusal) -> None:
        """Answer without the application, and close."""
        body = refusal.envelope(error, refusal.new_request_id())
        lines = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "cache-control": "no-store",
            "connection": "close",
            **error.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.transport.write(f"HTTP/1.1 {error.status} \r\n{head}\r\n".encode() + body)
        self.transport.close()
        self._within(1.0)  # for whoever does not even read this


def _full(client: tuple[str, int] | None, others: Iterable[str]) -> bool:
    counts = Counter(others)
    if counts.total() >= CONNECTIONS_MAX:
        return True
    if client is None or ipaddress.ip_address(client[0]).is_loopback:
        return False
    return counts[client[0]] >= PER_PEER_MAX
