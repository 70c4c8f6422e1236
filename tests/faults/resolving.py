"""Fault 51's program: sends by name to where names are good, half good, gone and never answered.

Prints how long each send took and what became of it, as JSON. `python -m tests.faults.resolving
KIND`: `sound`, or `blocking` for a client that looks names up in the event loop.
"""

import asyncio
import json
import socket
import sys
import time
from contextlib import AsyncExitStack, suppress

from agent.cloud.http.answer import Answer
from agent.cloud.http.client import HttpClient, Post
from agent.errors import FieldpostError
from tests.cloud.records import batch
from tests.faults.clouds import http
from tests.lab.scripted import Scripted, echo

DEADLINE_S = 1.5
HANGING = ("hangs-1.test", "hangs-2.test")
ANSWERING = ("good.test", "half.test", "gone.test")


class ResolvesInPlace(HttpClient):
    """Looks names up where everybody else has to wait for it."""

    async def _exchange(self, post: Post) -> Answer:
        with suppress(OSError):
            socket.getaddrinfo(self.host.partition(":")[0], 80)  # the flaw
        return await super()._exchange(post)


KINDS = {"sound": HttpClient, "blocking": ResolvesInPlace}


async def send(name: str, port: int, kind: type[HttpClient], began_s: float) -> tuple[float, str]:
    """Seconds since all began, and "" or what was said."""
    async with http(f"http://{name}:{port}", deadline_s=DEADLINE_S, made_of=kind) as cloud:
        try:
            await cloud.send(batch(2))
            said = ""
        except FieldpostError as error:
            said = error.message
        return time.monotonic() - began_s, said


async def main(kind: type[HttpClient]) -> dict[str, tuple[float, str]]:
    """All at once, the ones that hang first."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(Scripted(echo))
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(send(name, server.port, kind, began_s), name=name)
                for name in (*HANGING, *ANSWERING)
            }
    return {name: task.result() for name, task in tasks.items()}


if __name__ == "__main__":
    loop = asyncio.new_event_loop()
    print(json.dumps(loop.run_until_complete(main(KINDS[sys.argv[1]]))))  # noqa: T201 - its result
