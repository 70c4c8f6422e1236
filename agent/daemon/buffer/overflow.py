"""What destinations refuse may take a tenth of the quota; beyond it the oldest is given up.

It goes to the ledger with its count, like everything that is given up. Samples on their way out
again stay, and so does what is set aside for destinations that left the configuration: that does
not grow, and a person decides about it.
"""

from collections.abc import Awaitable, Callable

from agent.daemon.buffer.desk import Desk
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.model import Count, LossEntry
from agent.daemon.buffer.outbox import Outbox
from agent.daemon.buffer.returns import gone
from agent.daemon.buffer.shown import SetAside
from agent.daemon.buffer.views import Views

SHARE = 10  # of the quota
ROW_BYTES, READING_BYTES = 250, 40  # about what a set-aside sample takes, as JSON with its reason
STEP = 200  # samples given up in one commit
STEPS = 50  # in one round: a look every minute must not hold up the next
AGAIN_S = 60.0  # after a look in vain: each takes a commit, and a commit leads to a look


class Overflow:
    """Keeps what is set aside within its share.

    Args:
        most_bytes: it may take so much.
        flush: commits what there is; says whether it did.
    """

    def __init__(self, desk: Desk, most_bytes: int, flush: Callable[[], Awaitable[bool]]) -> None:
        self._desk = desk
        self._most_bytes = most_bytes
        self._views = Views(desk, flush)
        self._flush = flush
        self._in_vain: tuple[str, Count] | None = None
        self._in_vain_at_s = 0.0

    async def bound(self) -> None:
        """Give up the oldest until the rest fits.

        Raises:
            UnavailableError: the disk does not answer.
        """
        for _ in range(STEPS):
            boxes = self._desk.outboxes.values()
            if sum(_bytes(box) for box in boxes) <= self._most_bytes:
                return
            most = max(boxes, key=_bytes)
            if self._was_in_vain(most) or not await self._step(most):
                return

    def _was_in_vain(self, box: Outbox) -> bool:
        """Whether the last look found nothing to give up, and nothing is different since."""
        state = box.cursor.name, box.cursor.rejected
        lately = self._desk.clock.monotonic_s() - self._in_vain_at_s < AGAIN_S
        return lately and state == self._in_vain

    async def _step(self, box: Outbox) -> bool:
        self._in_vain = box.cursor.name, box.cursor.rejected
        self._in_vain_at_s = self._desk.clock.monotonic_s()
        if not await self._views.settle():
            return False  # what was given up already would be read, and counted, once more
        before = box.cursor.rejected
        oldest = await self._views.oldest_set_aside(box.cursor.name, STEP)
        if box.cursor.rejected is not before:
            return True  # something was refused or accepted meanwhile: look again
        self._give_up(box, oldest)
        return bool(oldest) and await self._flush()

    def _give_up(self, box: Outbox, oldest: list[SetAside]) -> None:
        if not oldest:
            return
        count = Count(len(oldest), sum(row.readings for row in oldest))
        box.cursor.rejected -= count
        box.cursor.lost += count
        box.refused += [gone(row.destination, row.epoch, row.seq) for row in oldest]
        number = self._desk.stock.accepted.samples
        loss = LossEntry(
            destination=box.cursor.name,
            epoch=self._desk.stock.lives.of(number).epoch,
            first=number,
            last=number,
            count=count,
            from_ms=min(row.at_ms for row in oldest),
            to_ms=max(row.at_ms for row in oldest),
            reason=Loss.REJECTED_OVERFLOW,
        )
        self._desk.enter([loss])
        self._desk.save_cursors()


def _bytes(box: Outbox) -> int:
    rejected = box.cursor.rejected
    return rejected.samples * ROW_BYTES + rejected.readings * READING_BYTES
