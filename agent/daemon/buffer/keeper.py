"""What the store does by itself: make room by policy, expire, look whether the disk is back."""

import asyncio
from contextlib import suppress

from agent.daemon.buffer.desk import Desk
from agent.daemon.buffer.opening import Opening
from agent.plan import Site

LOOK_S = 60.0  # between looks at what has expired, while anything waits


class StoreDamagedError(Exception):
    """The running store turned out to be damaged; the next start puts it aside."""


class Keeper:
    """Runs beside the commits, woken by them."""

    def __init__(self, desk: Desk, opening: Opening, site: Site) -> None:
        self.set_aside: str | None = None
        self.beside_bytes = 0
        self._desk = desk
        self._opening = opening
        self._site = site
        self._woken = asyncio.Event()
        desk.look = self._woken.set

    async def run(self) -> None:
        """Until cancelled.

        Raises:
            StoreDamagedError: only a new start helps.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._woken.wait()
            self._woken.clear()
            if self._desk.damaged:
                raise StoreDamagedError(self._desk.broken)
