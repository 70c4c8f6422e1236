"""One lane per destination: when to send, and in which order.

Urgent samples first, then live ones, and the backlog beside them: after each backlog request the
live lane has its turn again, so a backlog never delays a live sample by more than one request.
A destination that is slow or dead holds up nobody but itself.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from agent import logging
from agent.clock import Clock
from agent.cloud import Batch, Beats, Cloud, Forgets, Limits, Receipt, Vitals
from agent.daemon.buffer import Lane, Outbox
from agent.daemon.uplink.delivery import Delivery
from agent.errors import FieldpostError
from agent.plan import Destination

log = logging.get("uplink")

REOPEN_S = 60.0  # between looks whether a missing secret has been stored meanwhile
HELD_BACK = "the time of day is not known yet"
LOOK_S = 1.0  # how often a lane that waits for its time looks whether a batch is full


class Report(Protocol):
    """What health wants to know of a lane."""

    def delivered(self, destination: str, readings: int, partly: int = 0) -> None:
        """So many readings were received."""
        ...

    def refused(self, destination: str, readings: int, reason: str) -> None:
        """So many readings were judged and set aside."""
        ...

    def destination_failed(
        self, destination: str, error: FieldpostError, next_try_s: float | None
    ) -> None:
        """It cannot be reached, or does not let us in; the next try is known."""
        ...

    def beat(self, destination: str, error: FieldpostError | None) -> None:
        """A heartbeat was answered, or was not."""
        ...


class Uplink:
    """Carries everything in one outbox to one destination.

    Args:
        destination: its part of the plan.
        open_cloud: makes the destination; raises FieldpostError while a secret is missing.
        outbox: what waits for it.
        report: who is told.
    """

    def __init__(
        self,
        destination: Destination,
        open_cloud: Callable[[], Cloud],
        outbox: Outbox,
        report: Report,
        clock: Clock,
    ) -> None:
        self._destination = destination
        self._open_cloud = open_cloud
        self._outbox = outbox
        self._report = report
        self._clock = clock
        self._in_outage = False
        self._due_at_s = 0.0
        self.every_s = destination.every_s
        self.moved_at_s = clock.monotonic_s()
        self.waits_for: str | None = None

    async def run(self, vitals: Callable[[], Vitals]) -> None:
        """Carry until cancelled."""
        cloud = await self._opened()
        try:
            async with asyncio.TaskGroup() as group:
                name = self._destination.name
                group.create_task(self._carry(cloud), name=f"uplink {name}")
                if isinstance(cloud, Beats):
                    group.create_task(self._beat(cloud, vitals), name=f"heartbeat {name}")
        finally:
            await cloud.aclose()

    async def _opened(self) -> Cloud:
        while True:
            try:
                return self._open_cloud()
            except FieldpostError as error:
                self._wait_for(error, REOPEN_S)
            await asyncio.sleep(REOPEN_S)

    async def _carry(self, cloud: Cloud) -> None:

        async def settle(batch: Batch, receipt: Receipt) -> None:
            self._recall(cloud)  # first: what it has just acknowledged is not forgotten
            await self._settle(batch, receipt)

        delivery = Delivery(cloud, settle, self._wait_for)
        while True:
            await self._until_due(cloud)
            while batch := await self._next(cloud.limits, urgent_only=False):
                await self._deliver(delivery, batch, cloud.limits)
            # with nothing else to send, a lane that waits for the clock is not stuck
            self.waits_for = HELD_BACK if self._outbox.held_back else None

    async def _deliver(self, delivery: Delivery, batch: Batch, limits: Limits) -> None:
        await delivery.deliver(batch)
        self.moved_at_s = self._clock.monotonic_s()
        if self._in_outage:
            self._in_outage = False
            self._outbox.mark_live()
        # urgent and live records that came meanwhile go before the next piece of backlog
        while fresh := await self._next(limits, urgent_only=True):
            await delivery.deliver(fresh)

    async def _next(self, limits: Limits, *, urgent_only: bool) -> Batch | None:
        lanes = (Lane.URGENT,) if urgent_only else (Lane.URGENT, Lane.LIVE, Lane.BACKLOG)
        for lane in lanes:
            if batch := await self._outbox.take(limits, lane):
                return batch
        return None

    async def _until_due(self, cloud: Cloud) -> None:
        """Wait for something to send, then until `every` after the last round.

        The first records after a quiet time go at once; a full batch or an urgent record never
        waits. What was accepted since the last round is thus sent within `every` of it.
        """
        await self._outbox.wait()
        while (left := self._due_at_s - self._clock.monotonic_s()) > 0:
            waiting = self._outbox.waiting()
            if waiting.urgent or waiting.readings >= cloud.limits.readings:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_S)):
                    await self._outbox.urgent()
        self._due_at_s = self._clock.monotonic_s() + self._destination.every_s

    async def _settle(self, batch: Batch, receipt: Receipt) -> None:
        repeated = await self._outbox.settle(batch, receipt)
        self.waits_for = None
        self.moved_at_s = self._clock.monotonic_s()
        name = self._destination.name
        readings = sum(len(batch.records[index].values) for index in receipt.accepted)
        if readings:
            self._report.delivered(name, readings - repeated, receipt.partly)
        for index, reason in receipt.refused.items():
            self._report.refused(name, len(batch.records[index].values), reason)

    def _recall(self, cloud: object) -> None:
        """What a destination acknowledged and forgot goes again."""
        if isinstance(cloud, Forgets) and cloud.forgot() and self._outbox.resend():
            log.warning(
                "It has lost its memory; what it acknowledged lately is sent again.",
                event_type="uplink.recalled",
                destination=self._destination.name,
            )

    def _wait_for(self, error: FieldpostError, pause_s: float) -> None:
        self._in_outage = True
        self.waits_for = error.message
        self._report.destination_failed(self._destination.name, error, pause_s)

    async def _beat(self, cloud: Beats, vitals: Callable[[], Vitals]) -> None:
        """Tell the destination that we live; a refused heartbeat never stops telemetry."""
        while True:
            try:
                await cloud.beat(vitals())
            except FieldpostError as error:
                self._report.beat(self._destination.name, error)
            else:
                self._report.beat(self._destination.name, None)
                self._recall(cloud)
            await asyncio.sleep(cloud.beat_every_s)
