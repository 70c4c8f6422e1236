"""Half an hour in twelve characters: the course of one value, gaps stay gaps."""

from collections.abc import Mapping, Sequence

from agent.cli.words import seconds_between
from agent.plan import Json

STEPS = 12
STEP_S = 150.0  # twelve of them are half an hour
BARS = "▁▂▃▄▅▆▇█"
GAP = "·"
FLAT = 0.1  # a course that moves by less than this share of its value is drawn flat
FLAT_AT = 0.3  # of the height: below the middle, so that a rise has room


def spark(samples: Sequence[Json], steps: Sequence[Json], point: str, now: str) -> str:
    """The course of one point.

    Args:
        samples: raw, newest last, as the verb `history` answers them.
        steps: of five minutes, for what the raw samples no longer cover.
        point: which of the values.
        now: the daemon's time.
    """
    coarse = _means(steps, point, now, spread=2)
    means = [
        fine if fine is not None else coarse[i]
        for i, fine in enumerate(_means(samples, point, now))
    ]
    return drawn(means)


def drawn(means: Sequence[float | None]) -> str:
    """One character for each mean."""
    known = [mean for mean in means if mean is not None]
    if not known:
        return GAP * len(means)
    low, high = min(known), max(known)
    span = max(high - low, FLAT * max(abs(low), abs(high)))
    base = low - FLAT_AT * (span - (high - low))
    return "".join(GAP if m is None else _bar(m - base, span) for m in means)


def _bar(above: float, span: float) -> str:
    share = above / span if span else FLAT_AT
    return BARS[min(len(BARS) - 1, int(share * len(BARS)))]


def _means(samples: Sequence[Json], point: str, now: str, *, spread: int = 1) -> list[float | None]:
    """The mean of each step; `spread` is how many steps one sample stands for."""
    buckets: list[list[float]] = [[] for _ in range(STEPS)]
    for sample in samples:
        number = _number(sample["data"].get(point))
        first = STEPS - 1 - int(seconds_between(sample["timestamp"], now) // STEP_S)
        for bucket in range(first, first + spread):
            if number is not None and 0 <= bucket < STEPS:
                buckets[bucket].append(number)
    return [sum(bucket) / len(bucket) if bucket else None for bucket in buckets]


def _number(read: object) -> float | None:
    if isinstance(read, Mapping):
        read = read.get("mean")
    return float(read) if isinstance(read, int | float) else None
