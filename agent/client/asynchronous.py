"""The daemon's socket for programs that run on asyncio."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from agent.client import lines
from agent.client.paths import reachable
from agent.plan import Json


class Client:
    """Asks the daemon; every question has its own connection, so a restarted daemon is no matter.

    Args:
        path: from `socket_path`.
        within_s: how long an answer may take, seconds.
    """

    def __init__(self, path: Path, within_s: float = lines.ANSWER_WITHIN_S) -> None:
        self._path = path
        self._within_s = within_s

    async def call(self, verb: str, args: Json | None = None) -> Json:
        """The answer to one verb.

        Raises:
            UnavailableError: nobody listens, or nobody answers in time.
            FieldpostError: what the daemon refused, as its own kind.
        """
        try:
            async with asyncio.timeout(self._within_s), self._asked(verb, args) as reader:
                return cast("Json", lines.answer(await reader.readline())["data"])
        except TimeoutError as error:
            raise lines.silent() from error

    async def stream(self, verb: str, args: Json | None = None) -> AsyncGenerator[Json, None]:
        """Each item of a streaming verb, until it ends; closing the iterator ends it too.

        Raises:
            FieldpostError: as `call`; a daemon that goes away is an UnavailableError.
        """
        async with self._asked(verb, args) as reader:
            while not (read := lines.answer(await reader.readline())).get("end"):
                yield read["data"]

    @asynccontextmanager
    async def _asked(self, verb: str, args: Json | None) -> AsyncIterator[asyncio.StreamReader]:
        try:
            reader, writer = await self._open()
        except OSError as error:
            raise lines.unreachable(self._path, error) from error
        try:
            writer.write(lines.request(verb, args))
            await writer.drain()
            yield reader
        except (OSError, ValueError) as error:  # reset, or a line over the limit
            raise lines.silent() from error
        finally:
            writer.close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        wire.settimeout(0)
        try:
            with reachable(self._path) as address:
                await asyncio.get_running_loop().sock_connect(wire, address)
        except BaseException:
            wire.close()
            raise
        return await asyncio.open_unix_connection(sock=wire, limit=lines.ANSWER_BYTES_MAX)
