"""Which numbers are settled: everything up to `through`, and a few ranges above it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

Range = tuple[int, int]  # first and last, both included


@dataclass(slots=True)
class Settled:
    """A growing set of numbers, cheap where it is dense.

    Invariant: the ranges are disjoint, not adjacent, sorted, and lie above `through` + 1.
    """

    through: int = 0
    _firsts: list[int] = field(default_factory=list)
    _lasts: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, through: int, ranges: Iterable[Range]) -> "Settled":
        """The set that `through` and `ranges` describe, in any order."""
        settled = cls(through)
        for first, last in ranges:
            settled.add(first, last)
        return settled

    @property
    def ranges(self) -> list[Range]:
        """What is settled above `through`, lowest first."""
        return list(zip(self._firsts, self._lasts, strict=True))

    @property
    def scattered(self) -> int:
        """How many ranges there are above `through`."""
        return len(self._firsts)

    @property
    def last(self) -> int:
        """The highest number in it."""
        return self._lasts[-1] if self._lasts else self.through

    def __contains__(self, number: int) -> bool:
        if number <= self.through:
            return True
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def add(self, first: int, last: int) -> None:
        """Settle `first` to `last`, joining whatever touches them."""
        if first <= self.through + 1:
            self.through = max(self.through, last)
            self._swallow()
            return
        start = bisect_left(self._lasts, first - 1)
        end = bisect_right(self._firsts, last + 1)
        if start < end:
            first = min(first, self._firsts[start])
            last = max(last, self._lasts[end - 1])
        self._firsts[start:end] = [first]
        self._lasts[start:end] = [last]

    def next_missing(self, number: int) -> int:
        """The lowest number from here on that is not settled."""
        number = max(number, self.through + 1)
        place = bisect_right(self._firsts, number) - 1
        if place >= 0 and number <= self._lasts[place]:
            return self._lasts[place] + 1
        return number

    def covers(self, first: int, last: int) -> bool:
        """Whether all of it is settled."""
        return self.next_missing(first) > last

    def forget(self, first: int, last: int) -> None:
        """Drop one whole range above `through`: nothing with these numbers exists any more."""
        place = bisect_left(self._firsts, first)
        if place < len(self._firsts) and self._lasts[place] == last:
            del self._firsts[place]
            del self._lasts[place]

    def remove(self, first: int, last: int) -> None:
        """These are not settled any more."""
        ranges = [(1, self.through), *self.ranges]
        left = [(a, min(b, first - 1)) for a, b in ranges]
        right = [(max(a, last + 1), b) for a, b in ranges]
        self.through = 0
        self._firsts.clear()
        self._lasts.clear()
        for a, b in (*left, *right):
            if a <= b:
                self.add(a, b)

    def copy(self) -> "Settled":
        """An independent one."""
        return Settled(self.through, list(self._firsts), list(self._lasts))

    def _swallow(self) -> None:
        while self._firsts and self._firsts[0] <= self.through + 1:
            self.through = max(self.through, self._lasts[0])
            del self._firsts[0]
            del self._lasts[0]


def common(sets: Iterable[Settled]) -> list[Range]:
    """What all of them have settled, as ranges from 1 on; nothing when there is no set."""
    ranges: list[Range] | None = None
    for settled in sets:
        own = [(1, settled.through), *settled.ranges]
        ranges = own if ranges is None else list(_intersection(ranges, own))
    return [(first, last) for first, last in ranges or () if first <= last]


def _intersection(left: list[Range], right: list[Range]) -> Iterator[Range]:
    i = j = 0
    while i < len(left) and j < len(right):
        first, last = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if first <= last:
            yield first, last
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1


def runs(numbers: Iterable[int]) -> Iterator[Range]:
    """Ascending numbers as ranges."""
    first = last = None
    for number in numbers:
        if last is not None and number == last + 1:
            last = number
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = number
    if first is not None and last is not None:
        yield first, last
