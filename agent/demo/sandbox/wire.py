"""The connections behind the requests: who holds which certificate, and how to cut one."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

Peer = tuple[str, int]


class Wires:
    """Open connections by the client's address and port."""

    def __init__(self) -> None:
        self._open: dict[Peer, asyncio.Transport] = {}
        self._gone: dict[Peer, asyncio.Event] = {}

    def protocol(self) -> type[H11Protocol]:
        """What uvicorn is to speak: HTTP/1.1 over connections that sign on and off here."""
        wires = self

        class Wire(H11Protocol):
            """A connection that can be cut."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it; typing.override comes with 3.12
                super().connection_made(transport)
                if self.client:
                    wires.opened(self.client, transport)

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                if self.client:
                    wires.closed(self.client)

        return Wire

    def opened(self, peer: Peer, transport: asyncio.Transport) -> None:
        """A client has connected."""
        self._open[peer], self._gone[peer] = transport, asyncio.Event()

    def closed(self, peer: Peer) -> None:
        """A client has gone."""
        self._open.pop(peer, None)
        if gone := self._gone.pop(peer, None):
            gone.set()

    def is_open(self, peer: Any) -> bool:
        """Whether this client is still there."""
        return tuple(peer) in self._open

    def common_name(self, peer: Any) -> str | None:
        """The common name of the certificate that this client has shown."""
        transport = self._open.get(tuple(peer))
        certificate = transport.get_extra_info("peercert") if transport else None
        names = [item for part in (certificate or {}).get("subject", ()) for item in part]
        return next((value for key, value in names if key == "commonName"), None)

    async def cut(self, peer: Any) -> None:
        """End one connection at once; returns when it is gone."""
        if transport := self._open.get(tuple(peer)):
            gone = self._gone[tuple(peer)]
            transport.abort()
            await gone.wait()

    async def cut_all(self) -> None:
        """End every connection at once; returns when they are gone."""
        for peer in list(self._open):
            await self.cut(peer)
