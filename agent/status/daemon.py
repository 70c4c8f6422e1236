"""The daemon as the status service sees it: a few questions at a time, one snapshot a second."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from agent.client import Client
from agent.errors import UnavailableError
from agent.plan import Json

WITHIN_S = 2.0  # to answer
FRESH_S = 1.0  # all clients share one snapshot a second
AT_ONCE = 3  # the daemon has four places for us


class Daemon:
    """Asks the daemon's socket.

    Args:
        path: of the socket.
        now: seconds, monotonic.
    """

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._client = Client(path, WITHIN_S)
        self._now = now
        self._places = asyncio.Semaphore(AT_ONCE)
        self._lock = asyncio.Lock()
        self._taken_s = float("-inf")
        self._snapshot: Json | None = None

    async def call(self, verb: str, args: Json | None = None) -> Json:
        """The answer to one verb.

        Raises:
            UnavailableError: nobody answers in time.
            FieldpostError: what the daemon refused.
        """
        async with self._places:
            return await self._client.call(verb, args)

    async def snapshot(self) -> Json:
        """`{"status", "devices"}`, at most a second old.

        Raises:
            UnavailableError: nobody answers, or did not within the last second.
        """
        async with self._lock:
            if self._now() - self._taken_s >= FRESH_S:
                self._snapshot = None
                try:
                    self._snapshot = await self.call("snapshot")
                finally:
                    self._taken_s = self._now()
        if self._snapshot is None:
            message = "The fieldpost daemon does not answer."
            raise UnavailableError(message)
        return self._snapshot
