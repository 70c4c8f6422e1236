"""A daemon that is only a socket: the real server with canned answers, in a thread of its own."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from agent.daemon.socket import Peer, Role, Roles, SocketServer, StreamVerb, Verb
from agent.errors import FieldpostError
from agent.plan import Json

Answer = Json | FieldpostError | Callable[[Json], Json]


class Twin(Mapping[str, Verb | StreamVerb]):
    """What it answers by verb, and what it was asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Answer] = {}
        self.streams: dict[str, list[Json]] = {}
        self.asked: list[tuple[str, Json]] = []

    def __iter__(self) -> Iterator[str]:
        return iter({**self.answers, **self.streams})

    def __len__(self) -> int:
        return len({**self.answers, **self.streams})

    def __getitem__(self, name: str) -> Verb | StreamVerb:
        if name in self.streams:
            return StreamVerb(Role.VIEWER, partial(self._items, name))
        found = self.answers[name]

        async def answer(args: Json, _peer: Peer) -> Json:
            self.asked.append((name, args))
            if isinstance(found, FieldpostError):
                raise found
            return found(args) if callable(found) else found

        return Verb(Role.VIEWER, answer)

    async def _items(self, name: str, args: Json, _peer: Peer) -> AsyncGenerator[Json, None]:
        self.asked.append((name, args))
        for item in self.streams[name]:
            yield item


@contextmanager
def running(twin: Twin) -> Iterator[None]:
    """Serve until left; answers may change meanwhile."""
    started, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        server = SocketServer(twin.path, twin, Roles(os.geteuid()))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(server.run(), name="twin")
            await server.ready.wait()
            started.set()
            await stop.wait()
            task.cancel()

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    try:
        assert started.wait(5)
        yield
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(5)
