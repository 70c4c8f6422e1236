"""Several lines of one device become one sample: a station says wind, then rain, then heat."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.sample import Instant, Value
from drivers.serial_line.plan import Found

QUIET_NS = 200_000_000  # a pause this long ends a cycle; within one, lines follow at once
LONGEST_NS = 2_000_000_000  # a device that never pauses and never repeats is not waited for


@dataclass(frozen=True, slots=True)
class Heard:
    """What one cycle brought.

    Attributes:
        at: when its last line was complete.
        raw: the text of each value.
    """

    at: Instant
    values: Mapping[str, Value]
    raw: Mapping[str, str] = field(default_factory=dict)


class Cycle:
    """Collects the values of one device until they repeat, or it falls silent.

    Args:
        points: how many it has; when all are there, nothing is waited for.
    """

    def __init__(self, points: int) -> None:
        self._points = points
        self._found: dict[str, Found] = {}
        self._began_ns = 0
        self._at: Instant | None = None

    def add(self, found: Mapping[str, Found], at: Instant) -> Heard | None:
        """Take the values of one line; returns the cycle before when this line begins another."""
        done = self.end() if found.keys() & self._found.keys() else None
        if self._at is None:
            self._began_ns = at.mono_ns
        self._found.update(found)
        self._at = at
        return done

    def due(self, now_ns: int) -> bool:
        """Whether the cycle is over."""
        if self._at is None:
            return False
        quiet = now_ns - self._at.mono_ns >= QUIET_NS
        return quiet or self.complete or now_ns - self._began_ns >= LONGEST_NS

    @property
    def complete(self) -> bool:
        """Whether every point is there."""
        return len(self._found) == self._points

    @property
    def open(self) -> bool:
        """Whether a cycle has begun."""
        return self._at is not None

    def end(self) -> Heard | None:
        """What there is, and begin anew; None when nothing was heard."""
        if self._at is None:
            return None
        values = {point: found.value for point, found in self._found.items()}
        raw = {point: found.raw for point, found in self._found.items()}
        heard = Heard(self._at, values, raw)
        self._found, self._at = {}, None
        return heard
