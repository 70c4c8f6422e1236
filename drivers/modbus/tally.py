"""How many answers of a unit were damaged in the last hour. Pure: time is given."""

from collections import deque
from typing import Final

STEP_S: Final = 300.0
STEPS: Final = 12  # an hour


class Tally:
    """Answers and damaged ones, in steps of five minutes."""

    def __init__(self) -> None:
        self._steps: deque[list[float]] = deque(maxlen=STEPS)

    def add(self, now_s: float, *, damaged: bool) -> None:
        """One answer came."""
        step = now_s // STEP_S
        if not self._steps or self._steps[-1][0] != step:
            self._steps.append([step, 0, 0])
        self._steps[-1][1] += 1
        self._steps[-1][2] += damaged

    def counts(self, now_s: float) -> tuple[int, int]:
        """All answers, and the damaged ones, of the last hour."""
        oldest = now_s // STEP_S - STEPS
        recent = [s for s in self._steps if s[0] > oldest]
        return sum(int(s[1]) for s in recent), sum(int(s[2]) for s in recent)


def share(counts: tuple[int, int]) -> float:
    """Damaged ones of all, 0 to 1."""
    return counts[1] / counts[0] if counts[0] else 0.0
