"""What a destination may cost: bytes in a calendar month, and so much a second.

The month is that of the site's own calendar, by a clock that can be believed. While it cannot, no
new month begins: what was used stays used, so that a wrong clock never makes a bill. The figure
lives in the store; a power cut forgets at most the bytes of its last minute.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agent.clock import Clock

SAVE_BYTES = 20_000  # noted on the card when so much came together,
SAVE_S = 60.0  # or so much time
NANOSECONDS = 1_000_000_000
DECEMBER = 12


@dataclass(frozen=True, slots=True)
class Spending:
    """One month's bytes at one moment.

    Attributes:
        resets_ns: when the next month begins, wall time; None while the clock cannot be believed.
    """

    used_bytes: int
    allowed_bytes: int
    resets_ns: int | None


class Book(Protocol):
    """Where the figure is kept."""

    @property
    def spent(self) -> tuple[int, int]:
        """Month (202611; 0: none yet) and bytes."""
        ...

    def spend(self, month: int, size: int) -> None:
        """Note month and bytes; on the card with one of the next commits."""
        ...


class Budget:
    """A month's allowance.

    Args:
        allowed_bytes: in a month, both ways.
        zone: of the site's calendar.
        book: where the figure is kept.
    """

    def __init__(self, allowed_bytes: int, zone: str, book: Book, clock: Clock) -> None:
        self._allowed_bytes = allowed_bytes
        self._zone = _zone(zone)
        self._book = book
        self._clock = clock
        self._unsaved = 0
        self._saved_at_s = clock.monotonic_s()

    def add(self, size: int) -> None:
        """So many bytes more went over the wire."""
        self._unsaved += size
        now_s = self._clock.monotonic_s()
        if self._unsaved >= SAVE_BYTES or (self._unsaved and now_s - self._saved_at_s >= SAVE_S):
            self.save()

    def save(self) -> None:
        """Have what came together noted."""
        month, used = self._present()
        if (month, used) != self._book.spent:
            self._book.spend(month, used)
        self._unsaved, self._saved_at_s = 0, self._clock.monotonic_s()

    @property
    def used_up(self) -> bool:
        """Whether nothing is left."""
        return self._present()[1] >= self._allowed_bytes

    @property
    def spending(self) -> Spending:
        """How it stands."""
        return Spending(self._present()[1], self._allowed_bytes, self._resets_ns())

    def _present(self) -> tuple[int, int]:
        """Month and bytes as they are now; a new month begins with nothing."""
        month, used = self._book.spent
        now = self._now()
        if now is None:
            return month, used + self._unsaved
        this = now.year * 100 + now.month
        return this, self._unsaved + (0 if month and this > month else used)

    def _resets_ns(self) -> int | None:
        now = self._now()
        if now is None:
            return None
        year, month = (now.year + 1, 1) if now.month == DECEMBER else (now.year, now.month + 1)
        return int(datetime(year, month, 1, tzinfo=self._zone).timestamp()) * NANOSECONDS

    def _now(self) -> datetime | None:
        now = self._clock.now()
        return (
            datetime.fromtimestamp(now.wall_ns // NANOSECONDS, self._zone) if now.trusted else None
        )


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC  # no list of zones on this machine
