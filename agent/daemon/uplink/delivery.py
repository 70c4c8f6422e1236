"""Send one batch to its end: every index accepted, refused by judgement, or left for later.

A batch that is refused as a whole is bisected, so that one poisonous record costs at most
2 log2(n) further requests and blocks nobody; a record refused alone is set aside.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from agent.cloud import Batch, BatchRefused, Cloud, Receipt, Unreachable
from agent.daemon.uplink.retry import Waiting, retrying

Settle = Callable[[Batch, Receipt], Awaitable[object]]


class Delivery:
    """Carries batches to one destination, one request at a time.

    Args:
        cloud: where to.
        settle: told the receipt of each request, at once.
        on_wait: told every pause, with its reason.
    """

    def __init__(self, cloud: Cloud, settle: Settle, on_wait: Waiting) -> None:
        self._cloud = cloud
        self._settle = settle
        self._on_wait = on_wait
        self._next_request_at = 0.0

    async def deliver(self, batch: Batch) -> None:
        """Return when every index has been answered for; ends only by that or by cancellation."""
        waiting = deque([batch])
        while waiting:
            part = waiting.popleft()
            try:
                receipt = await self._send(part)
            except BatchRefused as refusal:
                if len(part.records) > 1:
                    waiting.extendleft(reversed(_halves(part)))
                    continue
                receipt = Receipt(refused={0: refusal.message})
            await self._settle(part, receipt)
            if rest := _unanswered(part, receipt):
                waiting.appendleft(rest)

    async def _send(self, batch: Batch) -> Receipt:
        """One request, repeated byte for byte until it is answered."""
        return await retrying(self._on_wait)(self._request, batch)

    async def _request(self, batch: Batch) -> Receipt:
        await self._keep_interval()
        receipt = await self._cloud.send(batch)
        if not receipt.accepted and not receipt.refused:
            message = "the answer names none of the records that were sent"
            raise Unreachable(message)
        return receipt

    async def _keep_interval(self) -> None:
        loop = asyncio.get_running_loop()
        if (pause := self._next_request_at - loop.time()) > 0:
            await asyncio.sleep(pause)
        self._next_request_at = loop.time() + self._cloud.limits.interval_s


def _halves(batch: Batch) -> tuple[Batch, Batch]:
    middle = len(batch.records) // 2
    return Batch(batch.records[:middle]), Batch(batch.records[middle:])


def _unanswered(batch: Batch, receipt: Receipt) -> Batch | None:
    answered = len(receipt.accepted) + len(receipt.refused)
    if answered >= len(batch.records):
        return None
    named = {*receipt.accepted, *receipt.refused}
    rest = [record for index, record in enumerate(batch.records) if index not in named]
    return Batch(rest) if rest else None
