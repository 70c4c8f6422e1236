"""What one destination has not answered for: taken in lanes, settled by receipts."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from agent.cloud import Batch, Limits, Receipt, Record
from agent.daemon.buffer.facts import Lane, Waiting
from agent.daemon.buffer.finding import Counter, Finder
from agent.daemon.buffer.model import Count, Cursor, Oldest, Refused
from agent.daemon.buffer.ranges import Range, runs
from agent.daemon.buffer.returns import Returns, set_aside
from agent.daemon.buffer.stock import Picking, Stock
from agent.daemon.buffer.tail import Tail

RECEIPTS_S = 10.0  # a destination that recognises repeats may be sent those of ten seconds again
RECEIPTS_SOON_S = 1.0  # another one as few as can be had without a commit of their own
RANGES_CHEAP = 64  # acknowledged ranges above the cursor that each commit may write
RANGES_MAX = 2000  # of them: where the account of every other sample is shut out for hours
RETURNING = (Lane.BACKLOG, Lane.ANY)  # what was refused once goes again beside the backlog
TRUST_LOOK_S = 5.0  # how often a held back sample looks whether the clock is trusted now


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
        self.returns = Returns(cursor)
        self.tail = Tail(cursor, stock.clock)
        self._stock = stock
        self._desk = desk
        self._empty: dict[Lane, int] = {}
        self._blocked: set[Lane] = set()
        self._out: dict[Lane, Range] = {}
        self._finder = Finder(cursor, stock, desk, oldest)
        self._news = asyncio.Event()
        self._urgent_news = asyncio.Event()

    def waiting(self) -> Waiting:
        """What is not settled, at once and without I/O."""
        count = self.cursor.waiting(self._stock.accepted)
        size = int(count.readings * self._stock.bytes_per_reading)
        urgent = self._finder.urgent()
        oldest_ns = self._finder.oldest_ns() if count.samples else None
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
        self.receipts_s = self._receipts_s(limits)
        if self.returns.pending and lane in RETURNING:
            again = await self.returns.take(limits)
            if again is not None:
                return again
        if self.tail.ready and lane in RETURNING:
            again = await self._forgotten(limits)
            if again is not None:
                return again
        version = self._stock.version
        picking = await self._finder.find(limits, lane)
        self.changed, self._finder.moved = self.changed or self._finder.moved, False
        (self._blocked.add if picking.blocked else self._blocked.discard)(lane)
        if not picking.records:
            self._empty[lane] = version
            self._out.pop(lane, None)
            self._look_for_trust()
            return None
        self._empty.pop(lane, None)
        self._stock.handed = max(self._stock.handed, picking.last)
        self._out[lane] = picking.first, picking.last
        return Batch(picking.records)

    def has_out(self, first: int, last: int) -> bool:
        """Whether some of these were taken and may be on their way, alarms left out."""
        spans = (span for lane, span in self._out.items() if lane is not Lane.URGENT)
        return any(
            start <= last and first <= end for start, end in spans
        ) and not self.cursor.settled.covers(first, last)

    async def settle(self, batch: Batch, receipt: Receipt) -> int:
        """Note what was answered; it is on the card with one of the next commits.

        Returns:
            How many of the accepted readings had been accepted before, and count no more.
        """
        records = batch.records
        repeated = self._repeated(batch, receipt) if self.tail.pending else 0
        accepted = [records[index] for index in sorted(receipt.accepted)]
        self.cursor.delivered += self._settled(accepted)
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

    def doubt(self, epoch: str, seq: int) -> bool:
        """Give other names to what may go by wrong ones, if this one was never given out here."""
        doubted = self._stock.surpassed(epoch, seq)
        if doubted:
            self._stock.doubted = True
            self._desk.want(0.0)
        return doubted

    def resend(self) -> bool:
        """The destination forgot what it had acknowledged: what is still held goes again.

        Returns:
            Whether there is any of it.
        """
        any_held = self.tail.resend()
        if any_held:
            self._desk.save_cursors()
        self._news.set()
        return any_held

    def keep(self, seconds: float | None) -> None:
        """Give up on samples after so many seconds of running time; None: never."""
        self.keep_ns = None if seconds is None else int(seconds * 1e9)

    @property
    def crowded(self) -> bool:
        """Whether more is kept out of order than can be remembered at a fair price."""
        return self.cursor.settled.scattered > RANGES_MAX

    @property
    def spent(self) -> tuple[int, int]:
        """Month (202611) and bytes that went over the wire in it."""
        return self.cursor.spent

    def spend(self, month: int, size: int) -> None:
        """Note them; they are on the card with one of the next commits."""
        self.cursor.spent = month, size
        self.changed = True
        self._desk.want(self.receipts_s)

    def island(self, first: int, last: int) -> None:
        """A block of salvaged numbers: backlog, wherever it lies."""
        self._finder.spans.islands.append((first, last))

    def mark_live(self) -> None:
        """What is committed up to now becomes backlog, what comes is live."""
        self._finder.spans.mark_live()

    def committed(self, *, urgent: bool, filled: bool = False) -> None:
        """Wake who waits.

        Args:
            urgent: an alarm came.
            filled: what was salvaged came to numbers where nothing was.
        """
        if filled:
            self._finder.forget()
        self.returns.try_again()
        self.tail.try_again()
        self._news.set()
        if urgent:
            self._urgent_news.set()

    def _receipts_s(self, limits: Limits) -> float:
        """The more ranges there are to write, the more seldom: the card bears no more for them."""
        base_s = RECEIPTS_S if limits.deduplicates else RECEIPTS_SOON_S
        return base_s * max(1.0, self.cursor.settled.scattered / RANGES_CHEAP)

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
        if found.incomplete:
            self.tail.interrupted()
        else:
            self.tail.ended()
        return None

    def _repeated(self, batch: Batch, receipt: Receipt) -> int:
        sizes: dict[int, int] = {}
        for index in (*receipt.accepted, *receipt.refused):
            record = batch.records[index]
            if number := self._stock.lives.number(record.epoch, record.seq):
                sizes[number] = 0 if index in receipt.refused else len(record.values)
        return sum(sizes[number] for number in self.tail.answered(sizes))

    def _settled(self, records: Sequence[Record]) -> Count:
        """Count and settle what was not settled yet; an answer given twice counts once."""
        settled = self.cursor.settled
        if (run := self._run(records)) is not None:
            settled.add(*run)
            return Count(len(records), sum([len(record.values) for record in records]))
        numbers: dict[int, int] = {}
        for record in records:
            number = self._stock.lives.number(record.epoch, record.seq)
            if number is not None and number not in settled:
                numbers[number] = len(record.values)
        for first, last in runs(sorted(numbers)):
            settled.add(first, last)
        for number in numbers.keys() & self._finder.holes.keys():
            settled.add(self._finder.holes.pop(number), number)
        return Count(len(numbers), sum(numbers.values()))

    def _run(self, records: Sequence[Record]) -> Range | None:
        """Their numbers, where they follow each other in one life and none was settled before."""
        if self._finder.holes or not records:
            return None
        epoch, seqs = records[0].epoch, range(records[0].seq, records[0].seq + len(records))
        if any(r.seq != seq or r.epoch != epoch for r, seq in zip(records, seqs, strict=True)):
            return None
        lives = self._stock.lives
        first = lives.number(epoch, seqs[0])
        last = (first or 0) + len(records) - 1
        if not first or first <= self.cursor.settled.last or last >= lives.stretch(first)[1]:
            return None
        return first, last

    def _has_news(self) -> bool:
        if self.returns.pending or self.tail.ready:
            return True
        if not self._empty:  # nothing was taken yet
            return self.cursor.waiting(self._stock.accepted).samples > 0
        return self._stock.version > min(self._empty.values())

    def _look_for_trust(self) -> None:
        """A commit anchors the boot clock, and so lets go of what waits for its time."""
        if self._blocked and self._stock.clock.now().trusted:
            self._desk.want(0.0)
