"""A broker that misbehaves on purpose: MQTT by hand, one packet at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

CONNECT, CONNACK, PUBLISH, PUBACK, PINGREQ, DISCONNECT = 0x10, 0x20, 0x30, 0x40, 0xC0, 0xE0


@dataclass(slots=True)
class Client:
    """One connection of a client.

    Attributes:
        level: of the protocol: 4 = 3.1.1, 5 = 5.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    level: int = 0
    published: list[tuple[int, bytes]] = field(default_factory=list)

    def send(self, kind: int, body: bytes) -> None:
        self.writer.write(bytes([kind, len(body)]) + body)

    def accept(self, properties: bytes = b"") -> None:
        """CONNACK, with MQTT 5 properties as they are on the wire."""
        granted = bytes([len(properties)]) + properties if self.level == 5 else b""
        self.send(CONNACK, b"\x00\x00" + granted)

    def acknowledge(self, packet_id: int, code: int = 0) -> None:
        body = packet_id.to_bytes(2, "big")
        self.send(PUBACK, body + bytes([code]) if code else body)

    async def packet(self) -> tuple[int, bytes]:
        first = (await self.reader.readexactly(1))[0]
        length, shift = 0, 0
        while True:
            byte = (await self.reader.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return first, await self.reader.readexactly(length)


Behaviour = Callable[[Client], Awaitable[None]]


class ScriptedBroker:
    """Plays a behaviour to each client, from its CONNECT on; `async with`."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self.clients: list[Client] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._server.close()
        for client in self.clients:
            client.writer.transport.abort()
        await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer)
        self.clients.append(client)
        try:
            _, body = await client.packet()
            client.level = body[6]
            await self._behaviour(client)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def publishes(client: Client) -> tuple[int, bytes]:
    """The id and the whole body of the next PUBLISH; pings are answered."""
    while True:
        kind, body = await client.packet()
        if kind & 0xF0 == PUBLISH:
            topic = int.from_bytes(body[:2], "big")
            packet_id = int.from_bytes(body[2 + topic : 4 + topic], "big")
            client.published.append((packet_id, body))
            return packet_id, body
        if kind == PINGREQ:
            client.send(0xD0, b"")
