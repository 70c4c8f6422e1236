"""Counts over a sliding time: kept in equal steps, forgotten a step at a time, bounded in RAM."""

from collections import Counter, deque

HOUR_S = 3600.0
DAY_S = 86_400.0
STEPS_OF_AN_HOUR = 12  # five minutes each
STEPS_OF_A_DAY = 24


class Window:
    """Sums by key over the last `length_s` seconds, and up to one step more.

    Args:
        length_s: how far back it looks, seconds on the boot clock.
        steps: in how many equal parts; memory grows with them, precision too.
        now_s: when counting begins.
    """

    def __init__(self, length_s: float, steps: int, now_s: float) -> None:
        self._length_s = length_s
        self._width_s = length_s / steps
        self._steps = steps
        self._began_s = now_s
        self._step = int(now_s // self._width_s)
        self._now: Counter[str] = Counter()
        self._past: deque[tuple[int, Counter[str]]] = deque()

    def add(self, now_s: float, key: str, amount: float = 1) -> None:
        """Count; costs under a microsecond within a step."""
        if int(now_s // self._width_s) != self._step:
            self._roll(now_s)
        self._now[key] += amount  # type: ignore[assignment]  # typeshed counts whole things only

    def sums(self, now_s: float) -> Counter[str]:
        """What was counted, by key."""
        self._roll(now_s)
        result = Counter(self._now)
        for _, counts in self._past:
            result.update(counts)
        return result

    def sum(self, now_s: float, key: str) -> float:
        """What was counted under one key."""
        return self.sums(now_s)[key]

    def observed_s(self, now_s: float) -> float:
        """How much time the sums speak of, seconds."""
        return min(now_s - self._began_s, self._length_s)

    def rate(self, now_s: float, key: str) -> float:
        """What was counted under one key, a second."""
        covered_s = self._steps * self._width_s + now_s % self._width_s
        return self.sum(now_s, key) / max(self._width_s, min(now_s - self._began_s, covered_s))

    def _roll(self, now_s: float) -> None:
        step = int(now_s // self._width_s)
        if step != self._step:
            if self._now:
                self._past.append((self._step, self._now))
                self._now = Counter()
            self._step = step
        while self._past and self._past[0][0] < step - self._steps:
            self._past.popleft()


def hour(now_s: float) -> Window:
    """A window over the last hour."""
    return Window(HOUR_S, STEPS_OF_AN_HOUR, now_s)


def day(now_s: float) -> Window:
    """A window over the last day."""
    return Window(DAY_S, STEPS_OF_A_DAY, now_s)
