"""What the daemon looks at every ten seconds: is everything moving, was the file edited.

The systemd watchdog is fed here, and only when samples are being committed and every lane moves or
has a named reason not to: a loop that turns while nothing gets done is ended like one that hangs.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent import logging
from agent.clock import Clock
from agent.daemon.service import Service
from agent.daemon.uplink import Uplink

log = logging.get("rounds")

EVERY_S = 10.0
UNCOMMITTED_MAX_S = 60.0  # a card may stall for half a minute while it collects garbage
STILL_MAX_S = 900.0  # longest back-off and request time of a lane, with room


@dataclass(frozen=True, slots=True)
class Progress:
    """What has to keep moving."""

    clock: Clock
    uncommitted_age_s: Callable[[], float]
    uplinks: Mapping[str, Uplink]
    waiting: Callable[[str], bool]

    def stuck(self) -> str | None:
        """The first thing that should move and does not, or None."""
        if (age := self.uncommitted_age_s()) > UNCOMMITTED_MAX_S:
            return f"nothing was committed for {age:.0f} s"
        now = self.clock.monotonic_s()
        for name, uplink in self.uplinks.items():
            still = now - uplink.moved_at_s - uplink.every_s
            if self.waiting(name) and uplink.waits_for is None and still > STILL_MAX_S:
                return f"nothing was sent to {name} for {still:.0f} s, for no known reason"
        return None


class Rounds:
    """The watchman.

    Args:
        looks: what is done each time, beside the watchdog: vitals, edited file.
        line: the one line of `systemctl status`.
    """

    def __init__(
        self,
        service: Service,
        progress: Progress,
        looks: Sequence[Callable[[], None]],
        line: Callable[[], str],
    ) -> None:
        self._service = service
        self._progress = progress
        self._looks = looks
        self._line = line

    async def run(self) -> None:
        """Look until cancelled."""
        every_s = min(EVERY_S, self._service.watchdog_s or EVERY_S)
        while True:
            for look in self._looks:
                look()
            self._feed()
            await asyncio.sleep(every_s)

    def _feed(self) -> None:
        if stuck := self._progress.stuck():
            log.error(f"Not alive any more: {stuck}.", event_type="daemon.stuck", reason=stuck)
            self._service.status(stuck)
        else:
            self._service.alive(self._line())
