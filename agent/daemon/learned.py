"""What the devices taught us, kept for `prepare`: how fast they answer, and what they refuse.

One small file, `learned.json` in the state directory. It is written when something new is worth it
and rarely else, without waiting for the card: what a power cut takes is learned again in a minute.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agent import logging
from agent.clock import Clock
from agent.driver import Figures
from agent.driver.learned import FILE, Learned, recalled, written
from agent.plan import Plan

log = logging.get("learned")

MUCH: Final = 0.2  # of a latency: a smaller difference changes no plan
RARELY_S: Final = 3600.0  # between two writes for a latency alone; the card is to live for years


class Lessons:
    """The file of one state directory.

    Args:
        state: the state directory.
        running: the plan whose devices are learned of; what is known of others is forgotten.
    """

    def __init__(self, state: Path, running: Plan, clock: Clock) -> None:
        self._path = state / FILE
        self._devices = running.devices
        self._clock = clock
        self._kept: Mapping[str, Learned] | None = None
        self._written_s = -RARELY_S

    def look(self, figures: Mapping[str, Figures]) -> None:
        """Keep what is new in the figures of the connections."""
        if self._kept is None:
            self._kept = recalled(self._path)
        now = {name: self._now(name, figures) for name in self._devices}
        wanted = {name: told for name, told in now.items() if told}
        if wanted == self._kept or not self._worth(wanted):
            return
        self._kept, self._written_s = wanted, self._clock.monotonic_s()
        try:
            fresh = self._path.with_suffix(".new")
            fresh.write_bytes(written(wanted))
            fresh.rename(self._path)
        except OSError as error:
            log.warning(
                "What was learned of the devices cannot be kept.",
                event_type="learned.unwritten",
                error=str(error),
            )

    def _now(self, name: str, figures: Mapping[str, Figures]) -> Learned | None:
        """What is known of one device: measured in this life, else in the one before."""
        device = self._devices[name]
        before = (self._kept or {}).get(name)
        if before and (before.connection, before.address) != (device.connection, device.address):
            before = None
        told = figures.get(device.connection)
        latency_s = told.latency_s.get(name) if told else None
        refused = {
            *(told.refused.get(name, ()) if told else ()),
            *(before.refused if before else ()),
        }
        if latency_s is None and before:
            latency_s = before.latency_s
        if latency_s is None and not refused:
            return None
        return Learned(device.connection, device.address, latency_s, tuple(sorted(refused)))

    def _worth(self, wanted: Mapping[str, Learned]) -> bool:
        """Whether it tells something new: a device, a refusal, or after a while a new pace."""
        kept = self._kept or {}
        if kept.keys() != wanted.keys():
            return True
        pairs = [(kept[name], told) for name, told in wanted.items()]
        if any(old.refused != new.refused for old, new in pairs):
            return True
        rested = self._clock.monotonic_s() - self._written_s >= RARELY_S
        return rested and any(_differ(old.latency_s, new.latency_s) for old, new in pairs)


def _differ(before_s: float | None, now_s: float | None) -> bool:
    if before_s is None or now_s is None:
        return before_s != now_s
    return abs(now_s - before_s) > MUCH * before_s
