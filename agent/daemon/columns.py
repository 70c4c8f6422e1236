"""A ring of samples, kept column by column in arrays, and the folding of what is new in it.

A cell without a value holds the column's own mark: NaN, the smallest 64-bit integer, or None. None
of them can be a value: the intake refuses the first two.
"""

import math
from array import array
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from typing import Any

from agent.sample import Instant, Sample, Value

NO_INT = -(2**63)
UNTRUSTED = NO_INT  # in place of the wall clock's offset, where it could not be believed
NAN = float("nan")

Names = tuple[str, ...]

Cells = MutableSequence[Any]  # an array of doubles, one of 64-bit integers, or a list


@dataclass(frozen=True, slots=True)
class Fold:
    """Several values of one point as one.

    Attributes:
        mean: arithmetic.
        n: how many values.
    """

    low: float
    mean: float
    high: float
    n: int


@dataclass(slots=True)
class _Column:
    cells: Cells
    missing: Value | None


class Columns:
    """The newest samples of one device.

    Args:
        depth: how many samples.
        folded: of how many points `fold` speaks, in the order in which they first came.
    """

    def __init__(self, depth: int, folded: int) -> None:
        self._depth = depth
        self._fold_points = folded
        self._times = array("q")
        self._offsets = array("q")
        self._columns: dict[str, _Column] = {}
        self._count = 0
        self._folded = 0

    @property
    def full(self) -> bool:
        """Whether older samples have been overwritten, or will be next."""
        return self._count >= self._depth

    @property
    def unfolded_full(self) -> bool:
        """Whether the next sample would overwrite one that was not folded yet."""
        return self._count - self._folded >= self._depth

    @property
    def oldest_ns(self) -> int:
        """Boot-clock time of the oldest sample; only when there is one."""
        return self._times[self._count % self._depth if self.full else 0]

    def append(self, sample: Sample) -> None:
        """Add one sample, in place of the oldest when full."""
        slot = self._count % self._depth
        at = sample.at
        self._stamp(slot, at.mono_ns, at.wall_ns - at.mono_ns if at.trusted else UNTRUSTED)
        columns = self._columns
        for point, value in sample.values.items():
            try:
                columns[point].cells[slot] = value
            except (KeyError, TypeError, OverflowError):
                self._columns[point] = self._fitting(point, value)
                self._columns[point].cells[slot] = value
        if len(sample.values) != len(columns):
            for point, column in columns.items():
                if point not in sample.values:
                    column.cells[slot] = column.missing
        self._count += 1

    def rows(self) -> Iterator[tuple[int, int, dict[str, Value]]]:
        """Boot-clock time, offset to the wall (or `UNTRUSTED`) and values, oldest first."""
        for number in range(max(0, self._count - self._depth), self._count):
            slot = number % self._depth
            values = {
                point: value
                for point, column in self._columns.items()
                if (value := _value(column, slot)) is not None
            }
            yield self._times[slot], self._offsets[slot], values

    def fold(self) -> dict[str, Fold]:
        """Everything since the last fold, and begin a new one."""
        result = self.unfolded()
        self._folded = self._count
        return result

    def unfolded(self) -> dict[str, Fold]:
        """Everything since the last fold, which goes on."""
        first, last = self._folded, self._count
        if first == last:
            return {}
        start, end = first % self._depth, (last - 1) % self._depth + 1
        names = list(self._columns)[: self._fold_points]
        folds = {name: _fold(_part(self._columns[name], start, end)) for name in names}
        return {name: found for name, found in folds.items() if found}

    def _stamp(self, slot: int, at_ns: int, offset_ns: int) -> None:
        if slot == len(self._times):
            self._times.append(at_ns)
            self._offsets.append(offset_ns)
        else:
            self._times[slot], self._offsets[slot] = at_ns, offset_ns

    def _fitting(self, point: str, value: Value) -> _Column:
        """A column that can hold this value and what the point said before."""
        known = self._columns.get(point)
        if known is not None:
            cells = [_value(known, slot) for slot in range(self._depth)]
            return _Column(cells, None)
        if type(value) is float:
            return _Column(array("d", [NAN]) * self._depth, NAN)
        if type(value) is int:
            return _Column(array("q", [NO_INT]) * self._depth, NO_INT)
        return _Column([None] * self._depth, None)


def merged(first: Mapping[str, Fold], second: Mapping[str, Fold]) -> dict[str, Fold]:
    """Two folds as one."""
    result = dict(first)
    for point, fold in second.items():
        known = result.get(point)
        result[point] = _joined(known, fold) if known else fold
    return result


class Packed:
    """One fold of all points in 16 bytes each: seven digits are enough for a curve."""

    __slots__ = ("_cells", "_names")

    def __init__(self, folds: Mapping[str, Fold], names: dict[Names, Names]) -> None:
        key = tuple(folds)
        self._names = names.setdefault(key, key)  # one tuple for all steps with the same points
        self._cells = array("f")
        for fold in folds.values():
            self._cells.extend((_clip(fold.low), _clip(fold.mean), _clip(fold.high), fold.n))

    def folds(self) -> dict[str, Fold]:
        """As they were, to seven digits."""
        cells = [float(f"{cell:.7g}") for cell in self._cells]
        return {
            name: Fold(cells[i], cells[i + 1], cells[i + 2], int(cells[i + 3]))
            for name, i in zip(self._names, range(0, len(cells), 4), strict=True)
        }


def _clip(value: float) -> float:
    """Within what 32 bits can hold."""
    return max(-3.4e38, min(3.4e38, value))


def _joined(first: Fold, second: Fold) -> Fold:
    n = first.n + second.n
    mean = first.mean + (second.mean - first.mean) * (second.n / n)
    return Fold(min(first.low, second.low), mean, max(first.high, second.high), n)


def _value(column: _Column, slot: int) -> Value | None:
    value: Value | None = column.cells[slot]
    if value is None or value == NO_INT or value != value:  # noqa: PLR0124 - NaN is what differs from itself
        return None
    return value


def _part(column: _Column, start: int, end: int) -> Sequence[float]:
    """The numbers between two slots, round the end of the ring when need be."""
    cells = column.cells
    part = cells[start:end]
    if start >= end:
        part = cells[start:]
        part.extend(cells[:end])
    if isinstance(part, list):
        return [value for value in part if isinstance(value, int | float)]
    if column.missing == NO_INT:
        return part if min(part) != NO_INT else [v for v in part if v != NO_INT]
    return part if math.isfinite(sum(part)) else [v for v in part if math.isfinite(v)]


def _fold(numbers: Sequence[float]) -> Fold | None:
    if not numbers:
        return None
    mean = math.fsum(value / len(numbers) for value in numbers)
    return Fold(min(numbers), mean, max(numbers), len(numbers))


def wall(now: Instant, at_ns: int, offset_ns: int) -> tuple[int, bool]:
    """Wall time of a moment of the boot clock, and whether it can be believed.

    Args:
        now: relates the clocks as they are now; corrects what was not trusted when taken.
        at_ns: the moment.
        offset_ns: wall minus boot clock when it was taken, or `UNTRUSTED`.
    """
    if offset_ns != UNTRUSTED:
        return at_ns + offset_ns, True
    return at_ns + now.wall_ns - now.mono_ns, now.trusted
