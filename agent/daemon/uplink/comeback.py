"""The network is back: whoever pauses because nothing answered tries again soon, not in minutes.

Evidence is a destination that answers after it did not, or a route that this machine did not have
before, as it comes with a link or an address. It ends the pauses of all lanes within a few seconds,
at random, so that a fleet behind one mast does not return in the same second. A person who asks
is not kept waiting.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

JITTER_S = 4.0  # with the look below it is five seconds at most
LOOK_S = 1.0  # between looks at the routes, while somebody pauses
ROUTES = Path("/proc/net/route")
ROUTES_6 = Path("/proc/net/ipv6_route")


@dataclass(eq=False, slots=True)
class _Pause:
    """One lane that waits."""

    deaf_until_s: float
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    asked: bool = False


class Comeback:
    """Shared by the lanes of a gateway; one of its own serves a lane that is alone.

    Args:
        jitter_s: a pause that is cut short lasts up to so long all the same.
        routes: the routes that this machine has now.
    """

    def __init__(
        self, jitter_s: float = JITTER_S, routes: Callable[[], frozenset[str]] | None = None
    ) -> None:
        self._jitter_s = jitter_s
        self._routes = routes or routes_now
        self._pausing: set[_Pause] = set()
        self._somebody = asyncio.Event()

    async def watch(self) -> None:
        """Look at the routes while somebody pauses, until cancelled."""
        known = self._routes()
        while True:
            await self._somebody.wait()
            now = self._routes()
            if now - known:
                self.heard()
            known = now
            await asyncio.sleep(LOOK_S)

    def heard(self) -> None:
        """Somebody answered who had not."""
        now_s = asyncio.get_running_loop().time()
        for pause in self._pausing:
            if now_s >= pause.deaf_until_s:
                pause.woken.set()

    def ask(self) -> None:
        """A person wants to know now."""
        for pause in self._pausing:
            pause.asked = True
            pause.woken.set()

    async def pause(self, seconds: float, deaf_until_s: float) -> bool:
        """Sleep, but not for long once there is evidence.

        Args:
            seconds: unless something happens.
            deaf_until_s: no evidence counts before, on the loop's clock; a person always does.

        Returns:
            Whether it was cut short.
        """
        loop = asyncio.get_running_loop()
        end_s, pause = loop.time() + seconds, _Pause(deaf_until_s)
        self._pausing.add(pause)
        self._somebody.set()
        try:
            async with asyncio.timeout(seconds):
                await pause.woken.wait()
        except TimeoutError:
            return False
        finally:
            self._pausing.discard(pause)
            if not self._pausing:
                self._somebody.clear()
        most_s = 0.0 if pause.asked else min(end_s - loop.time(), self._jitter_s)
        await asyncio.sleep(random.uniform(0.0, max(0.0, most_s)))  # noqa: S311 -- spreads requests, guards nothing
        return True


def routes_now() -> frozenset[str]:
    """Interface, destination and gateway of each route; what changes by itself is left out."""
    four = {"/".join(line.split()[:3]) for line in _lines(ROUTES)[1:]}
    six = {"/".join(columns[place] for place in (9, 0, 4)) for columns in _columns_6()}
    return frozenset(four | six)


def _columns_6() -> list[list[str]]:
    return [columns for line in _lines(ROUTES_6) if len(columns := line.split()) == 10]  # noqa: PLR2004 -- net/ipv6/route.c


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []  # no such family here
