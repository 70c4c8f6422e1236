"""How often a silent unit is asked, and what that may cost the others. Pure: time is given.

A unit that does not answer is tried three times, then left alone for a growing while and asked for
one register only. All silent units of a line together may use a small share of its time; what is
idle anyway costs nobody anything and is not counted.
"""

from dataclasses import dataclass
from typing import Final

TRIES: Final = 3  # of one scheduled read, before the unit counts as silent
LATE_S: Final = 1.0  # an answer this late may still come; the unit is not asked again before
SHORTEST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0  # a repaired meter is back within a minute
SHARE: Final = 0.05  # of the line's time, for all silent units together
SAVED_S: Final = 2.0  # unspent time that can be saved up


@dataclass(slots=True)
class Breaker:
    """One unit on one line.

    Attributes:
        tries: unanswered requests in a row, up to `TRIES`.
        open: the unit is silent: it gets probes, and only when `ready_s` has come.
        ready_s: not to be asked before, on the loop's clock.
        pause_s: between two probes; doubles.
    """

    tries: int = 0
    open: bool = False
    ready_s: float = 0.0
    pause_s: float = 0.0

    def answered(self) -> bool:
        """It answered, whatever it said; whether that is news."""
        news = self.open
        self.tries, self.open, self.ready_s, self.pause_s = 0, False, 0.0, 0.0
        return news

    def silent(self, now_s: float, wait_s: float) -> bool:
        """It did not answer; whether the scheduled read has failed with that.

        Args:
            now_s: the end of the wait for the answer.
            wait_s: how long we have waited, drain included.
        """
        self.tries = min(self.tries + 1, TRIES)
        if self.tries < TRIES:
            self.ready_s = now_s + max(0.0, LATE_S - wait_s)
            return False
        self.open = True
        self.pause_s = min(max(2 * self.pause_s, SHORTEST_PAUSE_S), LONGEST_PAUSE_S)
        self.ready_s = now_s + self.pause_s
        return True


@dataclass(slots=True)
class Budget:
    """The line's time that silent units may use.

    Attributes:
        left_s: what may be used now; below zero after an expensive try.
    """

    left_s: float = SAVED_S
    counted_s: float = 0.0

    def allows(self, now_s: float) -> bool:
        """Whether a silent unit may be asked now."""
        self._count(now_s)
        return self.left_s > 0

    def spend(self, now_s: float, cost_s: float) -> None:
        """A silent unit has cost the line this much."""
        self._count(now_s)
        self.left_s -= cost_s

    def enough_at(self, now_s: float) -> float:
        """When something may be spent again."""
        self._count(now_s)
        return now_s + max(0.0, -self.left_s / SHARE)

    def _count(self, now_s: float) -> None:
        earned_s = (now_s - self.counted_s) * SHARE if self.counted_s else 0.0
        self.left_s = min(SAVED_S, self.left_s + earned_s)
        self.counted_s = now_s
