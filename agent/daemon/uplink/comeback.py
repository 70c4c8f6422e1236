"""The network is back: whoever pauses because nothing answered tries again soon, not in minutes.

Evidence is a destination that answers after it did not, or a route that this machine did not have
before, as it comes with a link or an address. It ends the pauses of all lanes within seconds, at
random, so that a fleet behind one mast does not return in the same second. The longer the outage
was, the more of them are behind it: after an hour they take two minutes, and so they do when a
region has its power back. Neither an alarm nor a person who asks is kept waiting.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

JITTER_S = 4.0  # after a short outage: with the look below it is five seconds at most
FLEET_S = 120.0  # after a long one: of a thousand gateways no more than 2 % in any second
FLEET_SHARE = 30  # of an outage; it is long after an hour
YOUNG_S = 300.0  # since the boot: an old board is up within two minutes
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
        routes: the routes that this machine has now.
    """

    def __init__(self, routes: Callable[[], frozenset[str]] | None = None) -> None:
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

    async def pause(self, seconds: float, deaf_until_s: float, spread_s: float = JITTER_S) -> bool:
        """Sleep, but not for long once there is evidence.

        Args:
            seconds: unless something happens.
            deaf_until_s: no evidence counts before, on the loop's clock; a person always does.
            spread_s: once there is evidence, it lasts anything up to so long.

        Returns:
            Whether it was cut short.
        """
        pause = _Pause(deaf_until_s)
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
        if not pause.asked:
            await asyncio.sleep(spread(spread_s))
        return True


def after_outage_s(outage_s: float) -> float:
    """Over how many seconds a fleet returns after an outage of so many."""
    return min(FLEET_S, max(JITTER_S, outage_s / FLEET_SHARE))


def after_boot_s(uptime_s: float, every_s: float, *, backlog: bool) -> float:
    """Over how many seconds a fleet begins to send that has its power back.

    Args:
        uptime_s: of the machine; whoever starts later is not started by the power.
        every_s: how often it sends: so long may fresh samples wait anyway.
        backlog: something waits from before.
    """
    if uptime_s > YOUNG_S:
        return 0.0
    return FLEET_S if backlog else min(FLEET_S, every_s)


def spread(most_s: float) -> float:
    """Anything up to so many seconds."""
    return random.uniform(0.0, most_s)  # noqa: S311 -- spreads requests, guards nothing


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
