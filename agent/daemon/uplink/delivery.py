"""Send one batch to its end: every index accepted, refused by judgement, or left for later.

A batch that is refused as a whole is bisected, so that one poisonous record costs at most
2 log2(n) further requests and blocks nobody; a record refused alone is set aside. Records whose
account is shut out, while others are not, are kept and do not hold up the rest.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from agent.cloud import (
    Batch,
    BatchRefused,
    BatchTooLarge,
    Cloud,
    Overloaded,
    Receipt,
    Unreachable,
)
from agent.daemon.uplink.appetite import Appetite
from agent.daemon.uplink.retry import Retry

Settle = Callable[[Batch, Receipt], Awaitable[object]]


class PostponedError(Exception):
    """This is not the time for it; what is left goes another time."""


class Delivery:
    """Carries batches to one destination, one request at a time.

    Args:
        cloud: where to.
        settle: told the receipt of each request, at once; may postpone what is left.
        retry: what happens after a failure.
        may_go: asked before each request, with whether it is urgent; a no ends the delivery.
        appetite: how much a request carries.
    """

    def __init__(
        self,
        cloud: Cloud,
        settle: Settle,
        retry: Retry,
        may_go: Callable[[bool], bool] = lambda _: True,
        appetite: Appetite | None = None,
    ) -> None:
        self._cloud = cloud
        self._settle = settle
        self._retry = retry
        self._may_go = may_go
        self._appetite = appetite or Appetite()
        self._next_request_at = 0.0

    async def deliver(self, batch: Batch, *, urgent: bool = False) -> None:
        """Return when every index has been answered for, or is to be kept for another time."""
        with suppress(PostponedError):
            await self._deliver(batch, urgent=urgent)

    async def _deliver(self, batch: Batch, *, urgent: bool) -> None:
        waiting = deque([batch])
        while waiting:
            part = waiting.popleft()
            try:
                ask = partial(self._request, part, urgent)
                bite, receipt = await self._retry.until_answered(ask)
            except BatchRefused as refusal:
                if len(part.records) > 1:
                    waiting.extendleft(reversed(_halves(part)))
                    continue
                bite, receipt = part, Receipt(refused={0: refusal.message})
            await self._settle(bite, receipt)
            if len(bite.records) < len(part.records):
                return  # what is left is taken anew, behind what is more urgent
            if rest := _unanswered(part, receipt):
                waiting.appendleft(rest)

    async def _request(self, batch: Batch, urgent: bool) -> tuple[Batch, Receipt]:  # noqa: FBT001 - bound by partial
        """One request; repeated byte for byte until it is answered, or is too much."""
        if not self._may_go(urgent):
            raise PostponedError
        await self._keep_interval()
        bite = self._appetite.bite(batch)
        try:
            receipt = await self._cloud.send(bite)
        except (Overloaded, BatchTooLarge) as error:
            self._appetite.choked(len(bite.records), error)
            raise
        self._appetite.fed()
        if not (receipt.accepted or receipt.refused or receipt.shut_out):
            message = "the answer names none of the records that were sent"
            raise Unreachable(message)
        return bite, receipt

    async def _keep_interval(self) -> None:
        loop = asyncio.get_running_loop()
        if (pause := self._next_request_at - loop.time()) > 0:
            await asyncio.sleep(pause)
        self._next_request_at = loop.time() + self._cloud.limits.interval_s


def _halves(batch: Batch) -> tuple[Batch, Batch]:
    middle = len(batch.records) // 2
    return Batch(batch.records[:middle]), Batch(batch.records[middle:])


def _unanswered(batch: Batch, receipt: Receipt) -> Batch | None:
    named = {*receipt.accepted, *receipt.refused, *receipt.shut_out}
    if len(named) >= len(batch.records):
        return None
    rest = [record for index, record in enumerate(batch.records) if index not in named]
    return Batch(rest) if rest else None
