"""What an operator may do with what is held for a destination: send it again, or give it up.

Both keep the sums: accepted = delivered + set aside + lost + waiting. What is given up is in the
ledger, with its count, in the transaction that gives it up.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from agent.daemon.buffer.desk import Desk
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.model import Count, Cursor, LossEntry
from agent.daemon.buffer.returns import gone
from agent.daemon.buffer.shown import MARKED_AT_ONCE, Held
from agent.daemon.buffer.views import Views
from agent.errors import NotFoundError

NOTHING = Held(Count(), 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was given up for one destination.

    Attributes:
        forgotten: it is not configured any more, and nothing of it is left.
    """

    waiting: Count
    rejected: Count
    forgotten: bool


class Requeue:
    """Acts on what is held.

    Args:
        flush: commits what there is; says whether it did.
    """

    def __init__(self, desk: Desk, views: Views, flush: Callable[[], Awaitable[bool]]) -> None:
        self._desk = desk
        self._views = views
        self._flush = flush

    async def begin(self) -> None:
        """Take up what was asked for before the last stop."""
        for name, held in (await self._views.held()).items():
            if held.again and name in self._desk.outboxes:
                self._send(name)

    async def replay(self, name: str, wanted: Sequence[tuple[str, int]] | None) -> Count:
        """Let set-aside samples go out again, under the names they had.

        Args:
            name: of the destination.
            wanted: beginning of the epoch, and seq, of each; None: all.

        Returns:
            How many that are.

        Raises:
            NotFoundError: there is no destination of that name in the configuration.
            UnavailableError: the disk does not answer.
        """
        if name not in self._desk.outboxes:
            raise _unknown(name)
        await self._views.settle()
        total = step = await self._views.mark(name, wanted)
        while wanted is None and step.samples == MARKED_AT_ONCE:
            step = await self._views.mark(name, wanted)
            total += step
        if total.samples:
            self._send(name)
        return total

    async def drop(self, name: str, *, waiting: bool, rejected: bool) -> Dropped:
        """Give up what is held for a destination, and forget it if it is not configured.

        Args:
            name: of the destination, configured or not.
            waiting: what it was not sent yet.
            rejected: what it refused.

        Raises:
            NotFoundError: the store knows no such destination.
            UnavailableError: the disk does not answer.
        """
        cursor = self._cursor(name)
        await self._views.settle()
        held = (await self._views.held()).get(name, NOTHING)
        from_ms = await self._views.oldest_ms(cursor)
        # from here to the flush nothing else runs, so that cursor and ledger say the same
        losses = []
        if waiting:
            losses.append(self._drop_waiting(cursor, from_ms))
        if rejected:
            losses.append(self._drop_rejected(cursor, held))
        cursor.forgotten = waiting and rejected and not cursor.configured
        self._desk.enter([loss for loss in losses if loss.count.samples])
        self._desk.save_cursors()
        await self._flush()
        if cursor.forgotten and cursor in self._desk.removed:
            self._desk.removed.remove(cursor)
        counts = [loss.count for loss in losses]
        return Dropped(
            waiting=counts[0] if waiting else Count(),
            rejected=counts[-1] if rejected else Count(),
            forgotten=cursor.forgotten,
        )

    def _send(self, name: str) -> None:
        box = self._desk.outboxes[name]
        box.returns.begin(self._views.returning)
        box.committed(urgent=False)

    def _drop_waiting(self, cursor: Cursor, from_ms: int) -> LossEntry:
        accepted = self._desk.stock.accepted
        count = cursor.waiting(accepted)
        first = cursor.settled.next_missing(1)
        if box := self._desk.outboxes.get(cursor.name):
            box.tail.give_up()  # what it has forgotten meanwhile is not wanted either
        cursor.settled.add(1, accepted.samples)
        cursor.lost += count
        return self._loss(cursor, (first, accepted.samples), count, (from_ms, self._now_ms()))

    def _drop_rejected(self, cursor: Cursor, held: Held) -> LossEntry:
        count, number = cursor.rejected, self._desk.stock.accepted.samples
        cursor.rejected = Count()
        cursor.lost += count
        if box := self._desk.outboxes.get(cursor.name):
            box.returns.forget()
            box.refused.append(gone(cursor.name))
        return self._loss(cursor, (number, number), count, (held.from_ms, held.to_ms))

    def _loss(
        self, cursor: Cursor, numbers: tuple[int, int], count: Count, span_ms: tuple[int, int]
    ) -> LossEntry:
        return LossEntry(
            destination=cursor.name,
            epoch=self._desk.stock.lives.of(numbers[0]).epoch,
            first=numbers[0],
            last=numbers[1],
            count=count,
            from_ms=span_ms[0],
            to_ms=span_ms[1],
            reason=Loss.OPERATOR,
        )

    def _now_ms(self) -> int:
        return self._desk.clock.now().wall_ns // 1_000_000

    def _cursor(self, name: str) -> Cursor:
        for cursor in self._desk.cursors:
            if cursor.name == name:
                return cursor
        raise _unknown(name)


def _unknown(name: str) -> NotFoundError:
    message = f"There is no destination '{name}'."
    return NotFoundError(message, action="fieldpost queue shows all of them")
