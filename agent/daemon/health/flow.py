"""How fast readings come in, and so how long the buffer lasts."""

from agent.daemon.health import window
from agent.daemon.health.facts import Store, Surroundings

BYTES_PER_READING = 18.0  # on the card, measured on ordinary plants, when nothing better is known
TELLING_READINGS = 1000  # a backlog this long says how big a reading really is
TELLING_S = 60.0  # a rate over less time is noise
_ACCEPTED = "accepted"


class Flow:
    """The rate at which readings are accepted, over the last hour."""

    def __init__(self, now_s: float) -> None:
        self._hour = window.hour(now_s)
        self._seen: int | None = None

    def look(self, now_s: float, store: Store) -> None:
        """Take note of the store's total."""
        total = store.accepted_readings_total
        if self._seen is not None and total > self._seen:
            self._hour.add(now_s, _ACCEPTED, total - self._seen)
        self._seen = total

    def readings_per_s(self, now_s: float) -> float | None:
        """Readings a second; None while too little was seen."""
        observed_s = self._hour.observed_s(now_s)
        if observed_s < TELLING_S:
            return None
        return self._hour.sum(now_s, _ACCEPTED) / observed_s or None

    def room_s(self, now_s: float, around: Surroundings) -> float | None:
        """How long the free part of the quota lasts if nothing leaves, seconds."""
        rate = self.readings_per_s(now_s)
        if rate is None or not around.store.quota_bytes:
            return None
        longest = max(around.queues.values(), key=lambda queue: queue.readings, default=None)
        size = BYTES_PER_READING
        if longest and longest.readings >= TELLING_READINGS and longest.bytes:
            size = longest.bytes / longest.readings
        free = max(0, around.store.quota_bytes - around.store.used_bytes)
        return free / (rate * size)
