"""How busy a line is, and how fast its devices answer. Pure: time is given."""

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Collection
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

    def __init__(self, devices: Collection[str]) -> None:
        self.skipped = 0
        self._answers: dict[str, deque[float]] = {name: deque(maxlen=ANSWERS) for name in devices}
        self._polls = [0] * (len(EDGES_S) + 1)
        self._polls_s = 0.0
        self._thinks: dict[str, deque[float]] = {name: deque(maxlen=ANSWERS) for name in devices}
        self._refused: dict[str, list[str]] = defaultdict(list)
        self._steps: deque[tuple[float, dict[str, float]]] = deque(maxlen=STEPS)
        self._began_s: float | None = None

    def used(self, from_s: float, until_s: float, device: str) -> None:
        """The line was in use for a device; booked where it ended."""
        if self._began_s is None:
            self._began_s = from_s
        step = until_s // STEP_S
        if not self._steps or self._steps[-1][0] != step:
            self._steps.append((step, defaultdict(float)))
        self._steps[-1][1][device] += until_s - from_s

    def answered(self, device: str, took_s: float, talked_s: float = 0.0) -> None:
        """A device answered; one that is not configured is not remembered.

        Args:
            device: which one.
            took_s: until the end of the answer.
            talked_s: of that, the bytes of the answer on the wire.
        """
        answers = self._answers.get(device)
        if answers is not None:
            answers.append(took_s)
            self._thinks[device].append(took_s - talked_s)

    def refused(self, device: str, what: str) -> None:
        """A device does not give this with one request."""
        if what not in self._refused[device]:
            self._refused[device].append(what)

    def polled(self, took_s: float) -> None:
        """A scheduled read is over, well or not."""
        self._polls[bisect_left(EDGES_S, took_s)] += 1
        self._polls_s += took_s

    def figures(self, now_s: float) -> Figures:
        """All of it, as of now."""
        shares = self._shares(now_s)
        return Figures(
            busy=min(1.0, sum(shares.values())),
            overruns=self.skipped,
            answers_s={name: median(found) for name, found in self._answers.items() if found},
            latency_s={
                name: max(0.0, median(found)) for name, found in self._thinks.items() if found
            },
            shares={name: share for name, share in shares.items() if name in self._answers},
            refused={name: tuple(found) for name, found in self._refused.items()},
            polls=tuple(self._polls),
            polls_s=self._polls_s,
        )

    def _shares(self, now_s: float) -> dict[str, float]:
        """Of the last five minutes, by device, strangers included."""
        if self._began_s is None:
            return {}
        oldest = now_s // STEP_S - STEPS
        used_s: dict[str, float] = defaultdict(float)
        for step, by_device in self._steps:
            for device, seconds in by_device.items() if step > oldest else ():
                used_s[device] += seconds
        observed_s = min(now_s - self._began_s, (STEPS - 1) * STEP_S + now_s % STEP_S)
        return {d: s / observed_s for d, s in used_s.items()} if observed_s > 0 else {}
