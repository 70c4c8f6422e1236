"""Builds of the agent that are known to be bad: a judge that lets one pass proves nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agent.cloud import Batch, BatchRefused, Limits, Receipt, Record, Unreachable
from agent.daemon.buffer import Lane
from agent.daemon.buffer.facts import Waiting
from agent.daemon.buffer.orders import Done, Order
from agent.daemon.buffer.reading import Found
from agent.driver import DriverError, Instant, Sample, Sink
from tests.simulation.card import SimStore
from tests.simulation.clock import SimClock


class _Through:
    """A sound part with one habit of its own."""

    def __init__(self, sound: Any) -> None:
        self.sound = sound

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sound, name)


class SettlesBeforeTheReceipt(_Through):
    async def take(self, limits: Limits, lane: Lane) -> Batch | None:
        batch: Batch | None = await self.sound.take(limits, lane)
        if batch is not None:
            await self.sound.settle(batch, Receipt(range(len(batch.records))))
        return batch


class ForgetsUrgency(_Through):
    async def take(self, limits: Limits, lane: Lane) -> Batch | None:
        if lane is Lane.URGENT:
            return None
        batch: Batch | None = await self.sound.take(replace(limits, records=1), lane)
        return batch


class RunsInCircles(_Through):
    """A lane that takes every moment for an urgent one asks again at once."""

    async def wait(self) -> None:
        await asyncio.sleep(0)

    def waiting(self) -> Waiting:
        waiting: Waiting = self.sound.waiting()
        return replace(waiting, urgent=1)


class SettlesWhole(_Through):
    """Whatever part of a batch was accepted counts for all of it."""

    async def settle(self, batch: Batch, receipt: Receipt) -> Any:
        if receipt.accepted:
            rest = set(range(len(batch.records))) - set(receipt.refused)
            receipt = Receipt(rest, receipt.refused)
        return await self.sound.settle(batch, receipt)


class _Line(_Through):
    @property
    def limits(self) -> Limits:
        limits: Limits = self.sound.limits
        return limits

    async def send(self, batch: Batch) -> Receipt:
        receipt: Receipt = await self.sound.send(batch)
        return receipt

    async def aclose(self) -> None:
        await self.sound.aclose()


class SilenceIsConsent(_Line):
    async def send(self, batch: Batch) -> Receipt:
        try:
            return await super().send(batch)
        except Unreachable:
            return Receipt(range(len(batch.records)))


class DropsAfterThree(_Line):
    """Retry limit of many an agent: three failures, and the batch is gone."""

    failures = 0

    async def send(self, batch: Batch) -> Receipt:
        try:
            receipt = await super().send(batch)
        except Unreachable:
            self.failures += 1
            if self.failures < 3:
                raise
            receipt = Receipt(range(len(batch.records)))
        self.failures = 0
        return receipt


class BlocksOnPoison(_Line):
    """A refused batch is sent again and again."""

    async def send(self, batch: Batch) -> Receipt:
        try:
            receipt = await super().send(batch)
        except BatchRefused as error:
            raise Unreachable(error.message) from error
        if receipt.refused and not receipt.accepted:
            message = "refused"
            raise Unreachable(message)
        return replace(receipt, refused={})


class MixesUpTwo(_Line):
    """Values of one record arrive under the name of another."""

    async def send(self, batch: Batch) -> Receipt:
        records = list(batch.records)
        if len(records) > 1:
            first, last = records[0], records[-1]
            records[0] = replace(first, device=last.device, values=last.values)
            records[-1] = replace(last, device=first.device, values=first.values)
        return await super().send(Batch(records))


class StampsAtSending(_Line):
    """The time of a record is when it is sent."""

    def __init__(self, sound: Any) -> None:
        super().__init__(sound)
        self._began_s = asyncio.get_running_loop().time()

    async def send(self, batch: Batch) -> Receipt:
        later_ns = round((asyncio.get_running_loop().time() - self._began_s) * 1e9)
        records: list[Record] = [replace(r, time_ns=r.time_ns + later_ns) for r in batch.records]
        return await super().send(Batch(records))


class StampsAgain(SimStore):
    """A better anchor also applies to what has left already."""

    def commit(self, order: Order) -> Done:
        order.handed = -1
        return super().commit(order)


class DeletesEarly(SimStore):
    """What one destination has settled is deleted, whoever else waits for it."""

    def commit(self, order: Order) -> Done:
        if order.cursors:
            most = max(cursor.settled.through for cursor in order.cursors)
            order.delete = [(1, most)] if most else []
        return super().commit(order)


class CursorAhead(SimStore):
    """The cursor that is written down is a little ahead of the receipts."""

    def commit(self, order: Order) -> Done:
        for cursor in order.cursors:
            cursor.settled.add(cursor.settled.through + 1, cursor.settled.through + 2)
        return super().commit(order)


class DropsAlarms(SimStore):
    """Whoever asks for the oldest ordinary chunks is given the oldest of any kind."""

    def oldest(self, number: int, limit: int, ordinary: bool) -> Found:  # noqa: FBT001 - as the sound one
        del ordinary
        return super().oldest(number, limit, ordinary=False)


class _Driving(_Through):
    async def run(self, sink: Sink) -> None:
        await self.sound.run(sink)


class GivesUp(_Driving):
    """A driver that failed once is never run again."""

    async def run(self, sink: Sink) -> None:
        try:
            await super().run(sink)
        except DriverError:
            await asyncio.Event().wait()


class PutsTwice(_Driving):
    async def run(self, sink: Sink) -> None:
        await super().run(_Doubling(sink))


class _Doubling(_Through):
    def now(self) -> Instant:
        now: Instant = self.sound.now()
        return now

    async def put(self, sample: Sample) -> None:
        await self.sound.put(sample)
        await self.sound.put(sample)


class ThrowsAway(_Driving):
    async def run(self, sink: Sink) -> None:
        await super().run(_Putting(sink))


class _Putting(_Through):
    async def put(self, sample: Sample) -> None:
        """Accepts everything and keeps every second one."""
        if sum(map(ord, sample.device)) + int(sample.values["n"]) & 1:
            await self.sound.put(sample)


class StandsStillAsleep(SimClock):
    """CLOCK_MONOTONIC for a boot clock: it does not count what the machine slept."""

    def now(self) -> Instant:
        now = super().now()
        slept_ns = self.slept_ns - self._before_ns.setdefault(now.boot, self.slept_ns)
        return replace(now, mono_ns=now.mono_ns - slept_ns)

    def __init__(self, loop_s: Callable[[], float]) -> None:
        super().__init__(loop_s)
        self._before_ns: dict[str, int] = {}
