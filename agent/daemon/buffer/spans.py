"""Which numbers belong to which lane of one destination."""

from collections.abc import Iterator

from agent.daemon.buffer.facts import Lane
from agent.daemon.buffer.model import Cursor, Kind
from agent.daemon.buffer.ranges import Range
from agent.daemon.buffer.stock import Stock


class Spans:
    """The border between live and backlog, and what lies on the wrong side of it.

    Attributes:
        islands: salvaged numbers above the live border; they are backlog.
    """

    def __init__(self, cursor: Cursor, stock: Stock) -> None:
        self.islands: list[Range] = []
        self._cursor = cursor
        self._stock = stock
        self._live_from = stock.accepted.samples + 1

    def mark_live(self) -> None:
        """What is committed up to now becomes backlog, what comes is live."""
        self._live_from = self._stock.accepted.samples + 1
        self.islands.clear()

    def of(self, lane: Lane) -> tuple[int, int, Kind | None]:
        """First and last number that may lie in a lane, and the kind of chunk; None: any."""
        end = self._stock.accepted.samples
        if lane is Lane.URGENT:
            return next(self.urgent(), end + 1), end, Kind.URGENT
        if lane is Lane.LIVE:
            return (*self._live(end), None)
        return (*self._backlog(), None) if lane is Lane.BACKLOG else (1, end, None)

    def urgent(self) -> Iterator[int]:
        """Numbers of urgent samples that wait."""
        settled = self._cursor.settled
        return (number for number in self._stock.urgent if number not in settled)

    def _live(self, end: int) -> Range:
        start = self._cursor.settled.next_missing(self._live_from)
        for first, last in self.islands:
            if first <= start <= last:
                start = self._cursor.settled.next_missing(last + 1)
            elif start < first:
                end = min(end, first - 1)
        return start, end

    def _backlog(self) -> Range:
        settled = self._cursor.settled
        if settled.next_missing(1) < self._live_from:
            return 1, self._live_from - 1
        for first, last in self.islands:
            if (start := settled.next_missing(first)) <= last:
                return start, last
        return 1, 0
