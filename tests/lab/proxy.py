"""A TCP proxy on loopback that can be slow, silent, cutting, lying or gone."""

import asyncio
import contextlib
import socket
import struct
from typing import Self

PIECE = 65536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class Proxy:
    """Stands between a client and a server on this machine; `async with`.

    Attributes:
        silent: swallow everything, both ways, and keep the connections: a vanished peer.
        deaf: take what the client says, and hold back what the server answers.
        delay_s: wait before each piece is passed on, both ways.
        piece: bytes passed on at a time, answers only; with `delay_s`, a slow line.
        answer_max: cut a connection once so many bytes have been answered.
        swap: in answers, replace the first by the second.
        connections: how many were made.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.silent = self.deaf = False
        self.delay_s = 0.0
        self.piece = PIECE
        self.answer_max: int | None = None
        self.swap = (b"", b"")
        self.connections = 0
        self.asked = 0

    async def __aenter__(self) -> Self:
        await self.back()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.away()

    async def back(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def away(self) -> None:
        server, self._server = self._server, None
        if server:
            server.close()
        self.cut()
        while self._writers:
            await asyncio.sleep(0.005)

    def cut(self) -> None:
        """Reset every connection."""
        for writer in list(self._writers):
            taken: socket.socket = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ask(reader, far_writer), name="ask")
                group.create_task(self._answer(far_reader, writer), name="answer")
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in ends:
                end.transport.abort()
            await asyncio.sleep(0)
            self._writers -= ends

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(PIECE):
            self.asked += len(data)
            await asyncio.sleep(self.delay_s)
            if not self.silent:
                writer.write(data)
                await writer.drain()
        raise ConnectionResetError

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered = 0
        while data := await reader.read(self.piece):
            await asyncio.sleep(self.delay_s)
            if self.silent or self.deaf:
                continue
            data = data.replace(*self.swap) if self.swap[0] else data
            answered += len(data)
            over = 0 if self.answer_max is None else max(0, answered - self.answer_max)
            writer.write(data[: len(data) - over])
            await writer.drain()
            if over:
                return
        raise ConnectionResetError
