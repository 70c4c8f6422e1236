"""How much of a serial line's time a set of polls takes. Pure.

Time of one request = (13 + 2 x registers) characters + gap (`config-and-cli`, 5.3). Intervals that
coincide are read together; how often just these coincide follows from their common multiples.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

from drivers.modbus.plan import Block, Round, SerialPort

CHARACTERS: Final = 13  # of request and answer, without the data
MOST_INTERVALS: Final = 4  # different ones in one device for which all mixtures are planned
NICE_S: Final = (
    0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
    21600, 43200, 86400,
)  # fmt: skip


def request_s(block: Block, port: SerialPort | None) -> float:
    """Seconds of the line for one request and its answer; nothing on a network."""
    data = (block.count + 7) // 8 if block.table.of_bits else 2 * block.count
    return (CHARACTERS + data) * port.character_s if port else 0.0


def share(rounds: Sequence[Round], price: Mapping[int, float]) -> float:
    """Seconds of talking every second.

    Args:
        rounds: of one device.
        price: seconds of each round, by its place.
    """
    every = sorted({_ms(e) for each in rounds for e in each.every_s})
    rates = dict(_rates(every))
    total = 0.0
    for place, each in enumerate(rounds):
        total += rates.get(frozenset(map(_ms, each.every_s)), 0.0) * price[place]
    return total


def mixtures(every_s: Iterable[float]) -> list[tuple[float, ...]]:
    """Which intervals can fall due together and alone: one round is planned for each."""
    every = sorted(set(every_s))
    if len(every) > MOST_INTERVALS:
        return [*((each,) for each in every), tuple(every)]
    found = [tuple(ms / 1000 for ms in sorted(key)) for key, _ in _rates(map(_ms, every))]
    whole = tuple(_ms(each) / 1000 for each in every)
    return found if whole in found else [*found, whole]


def nice(seconds: float) -> float:
    """The next interval that a person would write."""
    return next((each for each in NICE_S if each >= seconds), math.ceil(seconds / 86400) * 86400.0)


def written(seconds: float) -> str:
    """`3s`, `500ms`, `2min`, as it is written in the file."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds * 1000:g}ms" if seconds < 1 else f"{seconds:g}s"


def _rates(every_ms: Iterable[int]) -> Iterator[tuple[frozenset[int], float]]:
    """Each mixture that occurs, and how often a second exactly these coincide."""
    every = sorted(every_ms)
    for size in range(1, len(every) + 1):
        for chosen in combinations(every, size):
            rest = [e for e in every if e not in chosen]
            rate = sum(
                (-1) ** more * 1000 / math.lcm(*chosen, *others)
                for more in range(len(rest) + 1)
                for others in combinations(rest, more)
            )
            if rate > 1e-12:  # noqa: PLR2004 -- what is left of sums that cancel out
                yield frozenset(chosen), rate


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
