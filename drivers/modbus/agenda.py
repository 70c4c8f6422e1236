"""What is due when: one heap over all units and intervals of a line. Pure: time is given.

Times are whole milliseconds of the loop's clock. Every interval runs in phase with its own
multiples, so that what can be read together falls due together. A poll that comes a whole interval
late is skipped and counted, never queued.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Due:
    """One unit's intervals that have come.

    Attributes:
        unit: its place among the units of the line.
        every_ms: the intervals to be read now.
        skipped: polls left out because the line was busy for too long.
    """

    unit: int
    every_ms: frozenset[int]
    skipped: int = 0


class Agenda:
    """When each unit is to be read.

    Args:
        intervals: of each unit, milliseconds.
        now_ms: everything is due at once, then in phase.
    """

    def __init__(self, intervals: Sequence[Sequence[int]], now_ms: int) -> None:
        self._heap = [
            (now_ms, unit, every) for unit, each in enumerate(intervals) for every in each
        ]
        heapq.heapify(self._heap)

    def next_ms(self) -> int | None:
        """When the next thing falls due; None when nothing ever will."""
        return self._heap[0][0] if self._heap else None

    def take(self, now_ms: int) -> Due:
        """What has been due longest: all of one unit's intervals that have come."""
        at, unit, _ = self._heap[0]
        every: set[int] = set()
        skipped = 0
        while self._heap and self._heap[0][:2] == (at, unit):
            _, _, each = heapq.heappop(self._heap)
            every.add(each)
            skipped += max(0, (now_ms - at) // each)
            heapq.heappush(self._heap, ((now_ms // each + 1) * each, unit, each))
        return Due(unit, frozenset(every), skipped)
