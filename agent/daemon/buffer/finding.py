"""Finds the next records for one destination, in RAM or on the card."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from agent.cloud import Limits
from agent.daemon.buffer.facts import Lane
from agent.daemon.buffer.model import Chunk, Cursor, Oldest
from agent.daemon.buffer.reading import Ask, Damage, Found
from agent.daemon.buffer.spans import Spans
from agent.daemon.buffer.stock import Picking, Stock

HOLES_MAX = 10_000  # remembered for batches under way; without them cursors only move later


class Counter(Protocol):
    """What an outbox asks of the buffer."""

    async def read(self, ask: Ask) -> Found:
        """Read from the card."""
        ...

    def want(self, within_s: float) -> None:
        """See to it that a commit takes place."""
        ...

    def save_cursors(self) -> None:
        """Have the cursors on the card with a commit at once."""
        ...

    def damaged(self, damages: Sequence[Damage]) -> None:
        """Give up chunks that nobody can read."""
        ...

    def expire(self, cursor: Cursor, chunks: Iterable[Chunk]) -> None:
        """Give up what is too old for a destination."""
        ...

    def reconcile(self, cursor: Cursor) -> None:
        """Enter as lost what a cursor still counts, where nothing is left."""
        ...


class Finder:
    """Looks for what one destination has not answered for; nothing moves.

    Args:
        cursor: where the destination is.
        stock: what is committed.
        desk: reads from the card.
        oldest: what it has waited for longest, when that is only on the card.

    Attributes:
        spans: which numbers belong to which lane.
        holes: by number that was found, from where on nothing lies before it.
        moved: the cursor was, over what is not there.
    """

    def __init__(
        self, cursor: Cursor, stock: Stock, desk: Counter, oldest: Oldest | None = None
    ) -> None:
        self.cursor = cursor
        self.spans = Spans(cursor, stock)
        self.holes: dict[int, int] = {}
        self.moved = False
        self._stock = stock
        self._desk = desk
        self._oldest = oldest
        self._takes: Callable[[str], bool] | None = None
        self._passed: dict[Lane, int] = {}  # by lane, how far nothing but kept samples lies

    async def find(self, limits: Limits, lane: Lane) -> Picking:
        """The oldest unsettled records of a lane, as many as fit."""
        ask = self._ask(limits, lane)
        picking = Picking(self._stock, self.cursor.settled, limits, ask.start if ask else 0)
        if len(self.holes) > HOLES_MAX:
            self.holes.clear()
        # whole stretches of what is kept or has expired are passed over
        further = ask is not None
        while ask is not None and further:
            further = await self._pick(ask, picking)
            if picking.passed and not picking.records:
                self._passed[lane] = ask.start - 1
        return picking

    def forget(self) -> None:
        """What was found empty, or passed over, is to be looked at again."""
        self.holes.clear()
        self._passed.clear()

    def urgent(self) -> int:
        """How many urgent samples wait that are not kept for another time."""
        passed = self._passed.get(Lane.URGENT, 0)
        return sum(1 for number in self.spans.urgent() if number > passed)

    def oldest_ns(self) -> int | None:
        """Wall time of what waits longest; None when that is not known without the card."""
        number = self.cursor.settled.next_missing(1)
        if self._oldest is None or self._oldest.number != number:
            first = Ask(self.cursor.settled, number, self._stock.accepted.samples, 1, 1)
            self._note_oldest(self._stock.shelf.read(first))
        oldest = self._oldest
        return self._stock.wall_ns(oldest.number, oldest.era, oldest.us) if oldest else None

    def _ask(self, limits: Limits, lane: Lane) -> Ask | None:
        start, end, kind = self.spans.of(lane)
        if limits.takes is not self._takes:  # whoever was passed over may have to be taken now
            self._takes = limits.takes
            self._passed.clear()
        settled = self.cursor.settled
        start = settled.next_missing(max(start, self._passed.get(lane, 0) + 1))
        if start > end:
            return None
        return Ask(settled, start, end, limits.records, limits.readings, kind)

    async def _pick(self, ask: Ask, picking: Picking) -> bool:
        """Pick from what one look finds; returns whether another one may find more."""
        found = self._stock.shelf.read(ask)
        if found is None:
            ask.settled = self.cursor.settled.copy()
            found = await self._desk.read(ask)
            if found.damaged:
                self._desk.damaged(found.damaged)
            if ask.lane is None and ask.start == self.cursor.settled.next_missing(1):
                self._note_oldest(found)
        chunks = self._stock.staying(found.chunks)
        more = all(picking.pick(chunk) for chunk in self._in_time(chunks, picking))
        if ask.lane is None and not found.incomplete and len(chunks) == len(found.chunks):
            self.holes |= picking.holes
            if more and not found.chunks and not found.damaged:
                self._nothing_there(ask)
        if not more or picking.records or not found.chunks:
            return False
        ask.start = self.cursor.settled.next_missing(found.chunks[-1].last + 1)
        return ask.start <= ask.end

    def _in_time(self, chunks: Sequence[Chunk], picking: Picking) -> Iterator[Chunk]:
        """What the destination is not too old for; the rest is given up, and counted."""
        for chunk in chunks:
            if picking.too_old(chunk):
                self._desk.expire(self.cursor, (chunk,))
            else:
                yield chunk

    def _nothing_there(self, ask: Ask) -> None:
        """These numbers are gone without a trace: settled long ago, or lost with their page."""
        self.cursor.settled.add(ask.start, ask.end)
        self.moved = True
        self._desk.reconcile(self.cursor)

    def _note_oldest(self, found: Found | None) -> None:
        for chunk in found.chunks[:1] if found else ():
            number = self.cursor.settled.next_missing(chunk.first)
            self._oldest = Oldest(number, chunk.era, chunk.first_us)
