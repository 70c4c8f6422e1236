"""The gateway's clocks: a boot clock that drifts, and a wall clock that may say anything."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agent.clock import BUILT_NS
from agent.sample import Instant

START_NS = 1_800_000_000_000_000_000  # 2027-01-15: true time when a simulation begins
UPTIME_NS = 4_000_000_000  # what a kernel has behind it when the daemon starts first


@dataclass(slots=True)
class Boot:
    """One boot of the machine, as the oracle remembers it.

    Attributes:
        began_ns: true time.
        shown: every error (wall clock less true time) it showed, and whether it was vouched for.
    """

    id: str
    began_ns: int
    ppm: float
    shown: list[tuple[int, bool]] = field(default_factory=list)


class SimClock:
    """`agent.clock.Clock`; the weather sets what it shows, `true_ns` is for the oracle alone."""

    def __init__(self, loop_s: Callable[[], float]) -> None:
        self._loop_s = loop_s
        self.slept_ns = 0
        self._woke_s = self._last_sleep_s = 0.0
        self._dark_ns = 0
        self._dark_since_ns: int | None = None
        self._error_ns = 0
        self._vouched = False
        self.boots: dict[str, Boot] = {}
        self.boot = Boot("", 0, 0.0)

    @property
    def true_ns(self) -> int:
        return START_NS + self.slept_ns + round(self._loop_s() * 1e9)

    @property
    def ran_ns(self) -> int:
        """True time less what the machine was without power."""
        return self.true_ns - self._dark_ns

    def sleep(self, seconds: float) -> None:
        """The machine is suspended: no timer runs, and all but the boot clock stands still."""
        self.slept_ns += round(seconds * 1e9)
        self._woke_s, self._last_sleep_s = self._loop_s(), seconds

    def just_slept_s(self, within_s: float) -> float:
        """How long it was suspended, if it awoke just so long ago."""
        return self._last_sleep_s if self._loop_s() - self._woke_s < within_s else 0.0

    def go_dark(self) -> None:
        """Without power until the next boot."""
        self._dark_since_ns = self.true_ns

    def reboot(self, name: str, ppm: float) -> None:
        """The boot clock begins again; the wall clock stays as it is until it is set."""
        if self._dark_since_ns is not None:
            self._dark_ns += self.true_ns - self._dark_since_ns
            self._dark_since_ns = None
        self.boot = Boot(name, self.true_ns, ppm)
        self.boots[name] = self.boot
        self.boot.shown.append((self._error_ns, self._trusted()))

    def show(self, error_ns: int, *, vouched: bool) -> None:
        """Set the wall clock so much ahead of true time."""
        self._error_ns = error_ns
        self._vouched = vouched
        self.boot.shown.append((error_ns, self._trusted()))

    @property
    def right(self) -> bool:
        """Whether it shows true time, and the system says so."""
        return self._vouched and not self._error_ns

    def now(self) -> Instant:
        wall_ns = self.true_ns + self._error_ns
        return Instant(self.boot.id, self._mono_ns(), wall_ns, self._trusted())

    def monotonic_s(self) -> float:
        return self._mono_ns() / 1e9

    def _trusted(self) -> bool:
        return self._vouched and self.true_ns + self._error_ns >= BUILT_NS

    def _mono_ns(self) -> int:
        up_ns = self.true_ns - self.boot.began_ns
        return UPTIME_NS + up_ns + int(up_ns * self.boot.ppm / 1e6)
