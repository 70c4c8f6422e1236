"""The only room that reads the clocks: what time it is, and whether that can be believed.

Order, timers, ages and expiry use the boot clock (CLOCK_BOOTTIME), which never steps. Wall time is
for people and clouds, and only counts where the system vouches for it.
"""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from agent.sample import Instant

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")  # touched by timesyncd at each step
SYSTEMD = Path("/run/systemd/system")  # exists where systemd is PID 1
BUILT_NS = 1_790_000_000_000_000_000  # 2026-09-21: no sample of this program is older
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TRUST_CHECK_NS = 5_000_000_000  # a stat every five seconds, not at every sample


class Clock(Protocol):
    """The port behind which simulations put their own time."""

    def now(self) -> Instant:
        """This moment; costs under a microsecond."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on the boot clock, for ages and timers."""
        ...


class SystemClock:
    """The machine's clocks.

    Args:
        floor_ns: wall time below which the clock is certainly wrong. The newest one in the store is
            none: one server that told of years to come would have every later one disbelieved.

    Attributes:
        synchronized: set by whoever asked the system in another way than by timesyncd's mark.
    """

    def __init__(self, floor_ns: int = BUILT_NS) -> None:
        self.floor_ns = floor_ns
        self.synchronized = False
        self._boot = BOOT_ID.read_text(encoding="ascii").strip()
        self._vouched = False
        self._check_at_ns = 0

    def now(self) -> Instant:
        """This moment on both clocks, and whether the wall clock can be believed."""
        mono_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        wall_ns = time.time_ns()
        if mono_ns >= self._check_at_ns:
            self._vouched = vouched() or self.synchronized
            self._check_at_ns = mono_ns + TRUST_CHECK_NS
        return Instant(self._boot, mono_ns, wall_ns, self._vouched and wall_ns >= self.floor_ns)

    def monotonic_s(self) -> float:
        """Seconds on the boot clock."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)


def wall_ns() -> int:
    """Wall time as the system says it, for stamps that nobody orders by."""
    return time.time_ns()


def vouched() -> bool:
    """Whether the system vouches for its wall clock.

    Under systemd that takes a synchronisation (timesyncd's mark). Where systemd is not PID 1, as in
    a container, nobody ever says so: there the floor alone decides.
    """
    return SYNCHRONIZED.exists() or not SYSTEMD.exists()


def iso(wall_ns: int) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`, as every surface of fieldpost writes time."""
    seconds, fraction = divmod(wall_ns, 1_000_000_000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{stamp}.{fraction // 1_000_000:03d}Z"


def from_iso(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time; without an offset it is UTC.

    Raises:
        ValueError: the text is no such time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole = moment - EPOCH
    return (whole.days * 86_400 + whole.seconds) * 1_000_000_000 + whole.microseconds * 1000
