"""Those who look on while the driver listens: whoever is too slow misses what is oldest."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final

from agent.driver import DeviceFault, Instant, Traffic
from drivers.serial_line.words import SHOWN

KEPT: Final = 256  # lines for one who looks on

Watcher = tuple[deque[Traffic], asyncio.Event]


class Tap:
    """Passes on what is heard; costs nothing while nobody looks."""

    def __init__(self) -> None:
        self._watching: list[Watcher] = []

    def heard(
        self, at: Instant, device: str | None, text: str, fault: DeviceFault | None = None
    ) -> None:
        """One line, and what is wrong with it."""
        if not self._watching:
            return
        said = text.encode("utf-8", errors="replace").hex(" ").upper()
        seen = Traffic(at, device, "", said, text[:SHOWN], fault=fault.message if fault else "")
        for waiting, arrived in self._watching:
            waiting.append(seen)
            arrived.set()

    async def traffic(self) -> AsyncGenerator[Traffic, None]:
        """Everything from now on, until `end`."""
        waiting: deque[Traffic] = deque(maxlen=KEPT)
        watcher = waiting, asyncio.Event()
        self._watching.append(watcher)
        try:
            while True:
                while waiting:
                    yield waiting.popleft()
                if watcher not in self._watching:
                    return
                watcher[1].clear()
                await watcher[1].wait()
        finally:
            self._leave(watcher)

    def end(self) -> None:
        """The driver ends: nothing more is heard."""
        for watcher in [*self._watching]:
            self._leave(watcher)
            watcher[1].set()

    def _leave(self, watcher: Watcher) -> None:
        if watcher in self._watching:
            self._watching.remove(watcher)
