"""Those who look on at a connection: whoever is too slow misses what is oldest."""

from collections import deque
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final

from agent.driver.abilities import Traffic

if TYPE_CHECKING:
    import asyncio

KEPT: Final = 256  # for one who looks on; a busy line has some 50 a second


class Onlookers:
    """Passes on what is told; false while there are none, so that nothing need be told.

    What a driver's tap adds is how its protocol is put into words.
    """

    def __init__(self) -> None:
        self._watching: list[tuple[deque[Traffic], asyncio.Event]] = []

    def __bool__(self) -> bool:
        return bool(self._watching)

    def tell(self, seen: Traffic) -> None:
        """Everybody gets it who looks on now; nobody is waited for."""
        for waiting, arrived in self._watching:
            waiting.append(seen)
            arrived.set()

    async def traffic(self) -> AsyncGenerator[Traffic, None]:
        """Everything from now on, until `end`."""
        import asyncio  # noqa: PLC0415 - commands know drivers' words and have no loop

        waiting: deque[Traffic] = deque(maxlen=KEPT)
        arrived = asyncio.Event()
        watcher = waiting, arrived
        self._watching.append(watcher)
        try:
            while True:
                while waiting:
                    yield waiting.popleft()
                if watcher not in self._watching:
                    return
                arrived.clear()
                await arrived.wait()
        finally:
            if watcher in self._watching:
                self._watching.remove(watcher)

    def end(self) -> None:
        """The driver ends: nothing more is told."""
        watching, self._watching = self._watching, []
        for _, arrived in watching:
            arrived.set()
