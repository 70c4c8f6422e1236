"""Thinning: of old data keep, per point and stretch of time, first, last, lowest and highest.

Every value that remains keeps its own number and its own true instant; nothing is averaged, nothing
is invented. A stored value never changes, some go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agent.daemon.buffer.codec import THINNED, THINNED_TWICE
from agent.daemon.buffer.cutting import CHUNK_READINGS
from agent.daemon.buffer.model import Chunk
from agent.sample import Value

STRETCH_US = {THINNED: 60_000_000, THINNED_TWICE: 900_000_000}

Place = tuple[int, str]  # number of the sample, point


@dataclass(slots=True)
class _Extremes:
    """One point of one device in one stretch: where its remarkable values stand."""

    first: int
    last: int
    lowest: tuple[float, int] | None = None
    highest: tuple[float, int] | None = None

    def add(self, number: int, value: Value) -> None:
        self.last = number
        if isinstance(value, str):
            return
        if self.lowest is None or value < self.lowest[0]:
            self.lowest = (value, number)
        if self.highest is None or value > self.highest[0]:
            self.highest = (value, number)

    @property
    def numbers(self) -> set[int]:
        found = {self.first, self.last}
        found |= {pair[1] for pair in (self.lowest, self.highest) if pair}
        return found


def thinned(chunks: Sequence[Chunk], level: int) -> list[Chunk]:
    """What stays of these chunks, in fewer and fuller ones.

    Args:
        chunks: ordinary, with no other chunk between them.
        level: THINNED or THINNED_TWICE.
    """
    keep = _places_to_keep(chunks, STRETCH_US[level])
    made: list[Chunk] = []
    for chunk in chunks:
        less = _less(chunk, keep, level)
        if less is None:
            continue
        if made and made[-1].era == less.era and made[-1].readings < CHUNK_READINGS:
            made[-1] = _joined(made[-1], less)
        else:
            made.append(less)
    return made


def _joined(chunk: Chunk, later: Chunk) -> Chunk:
    return replace(
        chunk,
        last=later.last,
        readings=chunk.readings + later.readings,
        total=later.total,
        entries=[*chunk.entries, *later.entries],
    )


def _places_to_keep(chunks: Iterable[Chunk], stretch_us: int) -> set[Place]:
    extremes: dict[tuple[int, int, str, str], _Extremes] = {}
    for chunk in chunks:
        for number, device, us, values in chunk.entries:
            stretch = us // stretch_us
            for point, value in values.items():
                key = (chunk.era, stretch, device, point)
                found = extremes.setdefault(key, _Extremes(number, number))
                found.add(number, value)
    return {(number, key[3]) for key, found in extremes.items() for number in found.numbers}


def _less(chunk: Chunk, keep: set[Place], level: int) -> Chunk | None:
    entries = []
    for number, device, us, values in chunk.entries:
        left = {point: value for point, value in values.items() if (number, point) in keep}
        if left:
            entries.append((number, device, us, left))
    if not entries:
        return None
    return replace(
        chunk,
        first=entries[0][0],
        last=entries[-1][0],
        readings=sum(len(values) for _, _, _, values in entries),
        entries=entries,
        thinned=level,
    )
