"""How busy a line is, and how fast its devices answer. Pure: time is given."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import Final

from agent.driver.figures import EDGES_S, Figures

STEP_S: Final = 10.0
STEPS: Final = 30  # five minutes
ANSWERS: Final = 31  # newest ones of a device; few enough for a median at every look


class Measured:
    """Counts for one line.

    Args:
        devices: whose answers are remembered.
    """

    def __init__(self, devices: Iterable[str]) -> None:
        self.skipped = 0
        self._answers: dict[str, deque[float]] = {name: deque(maxlen=ANSWERS) for name in devices}
        self._polls = [0] * (len(EDGES_S) + 1)
        self._polls_s = 0.0
        self._steps: deque[list[float]] = deque(maxlen=STEPS)
        self._began_s: float | None = None

    def used(self, from_s: float, until_s: float) -> None:
        """The line was in use; booked where it ended."""
        if self._began_s is None:
            self._began_s = from_s
        step = until_s // STEP_S
        if not self._steps or self._steps[-1][0] != step:
            self._steps.append([step, 0.0])
        self._steps[-1][1] += until_s - from_s

    def answered(self, device: str, took_s: float) -> None:
        """A device answered; one that is not configured is not remembered."""
        answers = self._answers.get(device)
        if answers is not None:
            answers.append(took_s)

    def polled(self, took_s: float) -> None:
        """A scheduled read is over, well or not."""
        self._polls[bisect_left(EDGES_S, took_s)] += 1
        self._polls_s += took_s

    def figures(self, now_s: float) -> Figures:
        """All of it, as of now."""
        return Figures(
            busy=self._busy(now_s),
            overruns=self.skipped,
            answers_s={name: median(found) for name, found in self._answers.items() if found},
            polls=tuple(self._polls),
            polls_s=self._polls_s,
        )

    def _busy(self, now_s: float) -> float:
        if self._began_s is None:
            return 0.0
        oldest = now_s // STEP_S - STEPS
        used_s = sum(used_s for step, used_s in self._steps if step > oldest)
        observed_s = min(now_s - self._began_s, (STEPS - 1) * STEP_S + now_s % STEP_S)
        return min(1.0, used_s / observed_s) if observed_s > 0 else 0.0
