"""What one destination has not answered for: taken in lanes, settled by receipts."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Protocol

from agent.cloud import Batch, Limits, Receipt, Record
from agent.daemon.buffer.facts import Lane, Waiting
from agent.daemon.buffer.model import Count, Cursor, Kind, Oldest, Refused
from agent.daemon.buffer.ranges import Range, runs
from agent.daemon.buffer.reading import Ask, Damage, Found
from agent.daemon.buffer.returns import Returns, set_aside
from agent.daemon.buffer.stock import Picking, Stock
from agent.daemon.buffer.tail import Tail

RECEIPTS_S = 10.0  # a destination that recognises repeats may be sent those of ten seconds again
RECEIPTS_SOON_S = 1.0  # another one as few as can be had without a commit of their own
RETURNING = (Lane.BACKLOG, Lane.ANY)  # what was refused once goes again beside the backlog
HOLES_MAX = 10_000  # remembered for batches under way; without them cursors only move later
TRUST_LOOK_S = 5.0  # how often a held back sample looks whether the clock is trusted now


class Counter(Protocol):
    """What an outbox asks of the buffer."""

    async def read(self, ask: Ask) -> Found:
        """Read from the card."""
        ...

    def want(self, within_s: float) -> None:
        """See to it that a commit takes place."""
        ...

    def damaged(self, damages: Sequence[Damage]) -> None:
        """Give up chunks that nobody can read."""
        ...

    def reconcile(self, cursor: Cursor) -> None:
        """Enter as lost what a cursor still counts although nothing is left."""
        ...


class Outbox:
    """One destination's view of the store.

    Args:
        cursor: where the destination is; from now on changed here only.
        stock: what is committed.
        desk: reads from the card and sees to commits.
        oldest: what it has waited for longest, when that is only on the card.
    """

    def __init__(
        self, cursor: Cursor, stock: Stock, desk: Counter, oldest: Oldest | None = None
    ) -> None:
        self.cursor = cursor
        self.changed = False
        self.refused: list[Refused] = []
        self.receipts_s = RECEIPTS_S
        self.keep_ns: int | None = None
        self.islands: list[Range] = []  # salvaged numbers above the live border
        self.returns = Returns(cursor)
        self.tail = Tail(cursor, stock.clock)
        self._stock = stock
        self._desk = desk
        self._live_from = stock.accepted.samples + 1
        self._empty: dict[Lane, int] = {}
        self._blocked: set[Lane] = set()
        self._holes: dict[int, int] = {}  # by number: from where on nothing lies before it
        self._oldest = oldest
        self._news = asyncio.Event()
        self._urgent_news = asyncio.Event()

    def waiting(self) -> Waiting:
        """What is not settled, at once and without I/O."""
        count = self.cursor.waiting(self._stock.accepted)
        size = int(count.readings * self._stock.bytes_per_reading)
        urgent = sum(1 for _ in self._urgent())
        oldest_ns = self._oldest_ns() if count.samples else None
        return Waiting(count.samples, count.readings, size, oldest_ns, urgent)

    @property
    def held_back(self) -> bool:
        """Whether something waits for nothing but a clock that can be trusted."""
        return bool(self._blocked)

    async def wait(self) -> None:
        """Return when something was committed that the last takes did not see."""
        while not self._has_news():
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(TRUST_LOOK_S if self._blocked else None):
                    await self._news.wait()
            self._look_for_trust()

    async def urgent(self) -> None:
        """Return when something urgent was committed since the last call."""
        await self._urgent_news.wait()
        self._urgent_news.clear()

    async def take(self, limits: Limits, lane: Lane) -> Batch | None:
        """The oldest unsettled records of a lane, as many as fit; nothing moves."""
        self.receipts_s = RECEIPTS_S if limits.deduplicates else RECEIPTS_SOON_S
        if self.returns.pending and lane in RETURNING:
            again = await self.returns.take(limits)
            if again is not None:
                return again
        if self.tail.pending and lane in RETURNING:
            again = await self._forgotten(limits)
            if again is not None:
                return again
        version = self._stock.version
        ask = self._ask(limits, lane)
        picking = Picking(self._stock, self.cursor.settled, limits, ask.start if ask else 0)
        if len(self._holes) > HOLES_MAX:
            self._holes.clear()
        if ask is not None:
            await self._pick(ask, picking)
        (self._blocked.add if picking.blocked else self._blocked.discard)(lane)
        if not picking.records:
            self._empty[lane] = version
            self._look_for_trust()
            return None
        self._empty.pop(lane, None)
        self._stock.handed = max(self._stock.handed, picking.last)
        return Batch(picking.records)

    async def settle(self, batch: Batch, receipt: Receipt) -> int:
        """Note what was answered; it is on the card with one of the next commits.

        Returns:
            How many of the accepted readings had been accepted before, and count no more.
        """
        records = batch.records
        repeated = self._repeated(batch, receipt) if self.tail.pending else 0
        self.cursor.delivered += self._settled(records[index] for index in receipt.accepted)
        for index, reason in receipt.refused.items():
            record = records[index]
            count = self._settled((record,))
            self.cursor.rejected += count
            if count.samples:
                self.refused.append(set_aside(self.cursor.name, record, reason))
        self.refused += self.returns.settle(batch, receipt)
        self.changed = True
        self._desk.want(self.receipts_s)
        return repeated

    def resend(self) -> bool:
        """The destination forgot what it had acknowledged: what is still held goes again.

        Returns:
            Whether there is any of it.
        """
        any_held = self.tail.resend()
        self._news.set()
        return any_held

    def keep(self, seconds: float | None) -> None:
        """Give up on samples after so many seconds of running time; None: never."""
        self.keep_ns = None if seconds is None else int(seconds * 1e9)

    def mark_live(self) -> None:
        """What is committed up to now becomes backlog, what comes is live."""
        self._live_from = self._stock.accepted.samples + 1
        self.islands.clear()

    def committed(self, *, urgent: bool) -> None:
        """Wake who waits."""
        self.returns.try_again()
        self._news.set()
        if urgent:
            self._urgent_news.set()

    async def _forgotten(self, limits: Limits) -> Batch | None:
        """The oldest of what was acknowledged and forgotten."""
        ask = self.tail.ask(limits)
        if ask is None:
            return None
        found = self._stock.shelf.read(ask) or await self._desk.read(ask)
        if found.damaged:
            self._desk.damaged(found.damaged)
        picking = Picking(self._stock, ask.settled, limits, ask.start)
        all(picking.pick(chunk) for chunk in found.chunks)
        if picking.records:
            return Batch(picking.records)
        if not found.incomplete:
            self.tail.ended()
        return None

    def _repeated(self, batch: Batch, receipt: Receipt) -> int:
        sizes: dict[int, int] = {}
        for index in (*receipt.accepted, *receipt.refused):
            record = batch.records[index]
            if number := self._stock.lives.number(record.epoch, record.seq):
                sizes[number] = 0 if index in receipt.refused else len(record.values)
        return sum(sizes[number] for number in self.tail.answered(sizes))

    def _settled(self, records: Iterable[Record]) -> Count:
        """Count and settle what was not settled yet; an answer given twice counts once."""
        settled = self.cursor.settled
        numbers: dict[int, int] = {}
        for record in records:
            number = self._stock.lives.number(record.epoch, record.seq)
            if number is not None and number not in settled:
                numbers[number] = len(record.values)
        for first, last in runs(sorted(numbers)):
            settled.add(first, last)
        for number in numbers.keys() & self._holes.keys():
            settled.add(self._holes.pop(number), number)
        return Count(len(numbers), sum(numbers.values()))

    def _ask(self, limits: Limits, lane: Lane) -> Ask | None:
        start, end, kind = 1, self._stock.accepted.samples, None
        if lane is Lane.URGENT:
            start, kind = next(self._urgent(), end + 1), Kind.URGENT
        elif lane is Lane.LIVE:
            start, end = self._live(end)
        elif lane is Lane.BACKLOG:
            start, end = self._backlog()
        settled = self.cursor.settled
        start = settled.next_missing(start)
        if start > end:
            return None
        return Ask(settled, start, end, limits.records, limits.readings, kind)

    async def _pick(self, ask: Ask, picking: Picking) -> None:
        found = self._stock.shelf.read(ask)
        if found is None:
            ask.settled = self.cursor.settled.copy()
            found = await self._desk.read(ask)
            if found.damaged:
                self._desk.damaged(found.damaged)
            if ask.lane is None and ask.start == self.cursor.settled.next_missing(1):
                self._note_oldest(found)
        more = all(picking.pick(chunk) for chunk in found.chunks)
        if ask.lane is None and not found.incomplete:
            self._holes |= picking.holes
            if more and not found.chunks and not found.damaged:
                self._nothing_there(ask)

    def _nothing_there(self, ask: Ask) -> None:
        """These numbers are gone without a trace: settled long ago, or lost with their page."""
        self.cursor.settled.add(ask.start, ask.end)
        self.changed = True
        if self.cursor.settled.through >= self._stock.accepted.samples:
            self._desk.reconcile(self.cursor)

    def _live(self, end: int) -> Range:
        """Where live samples may lie: islands of salvaged ones among them are backlog."""
        start = self.cursor.settled.next_missing(self._live_from)
        for first, last in self.islands:
            if first <= start <= last:
                start = self.cursor.settled.next_missing(last + 1)
            elif start < first:
                end = min(end, first - 1)
        return start, end

    def _backlog(self) -> Range:
        settled = self.cursor.settled
        if settled.next_missing(1) < self._live_from:
            return 1, self._live_from - 1
        for first, last in self.islands:
            if (start := settled.next_missing(first)) <= last:
                return start, last
        return 1, 0

    def _urgent(self) -> Iterator[int]:
        settled = self.cursor.settled
        return (number for number in self._stock.urgent if number not in settled)

    def _has_news(self) -> bool:
        if self.returns.pending or self.tail.pending:
            return True
        if not self._empty:  # nothing was taken yet
            return self.cursor.waiting(self._stock.accepted).samples > 0
        return self._stock.version > min(self._empty.values())

    def _look_for_trust(self) -> None:
        """A commit anchors the boot clock, and so lets go of what waits for its time."""
        if self._blocked and self._stock.clock.now().trusted:
            self._desk.want(0.0)

    def _oldest_ns(self) -> int | None:
        number = self.cursor.settled.next_missing(1)
        if self._oldest is None or self._oldest.number != number:
            first = Ask(self.cursor.settled, number, self._stock.accepted.samples, 1, 1)
            self._note_oldest(self._stock.shelf.read(first))
        oldest = self._oldest
        return self._stock.wall_ns(oldest.number, oldest.era, oldest.us) if oldest else None

    def _note_oldest(self, found: Found | None) -> None:
        for chunk in found.chunks[:1] if found else ():
            number = self.cursor.settled.next_missing(chunk.first)
            self._oldest = Oldest(number, chunk.era, chunk.first_us)
