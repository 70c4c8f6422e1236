"""One lane per destination: when to send, and in which order.

Urgent samples first, then live ones, and the backlog beside them: after each backlog request the
live lane has its turn again, so a backlog never delays a live sample by more than one request.
A destination that is slow or dead holds up nobody but itself.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from agent import logging
from agent.clock import Clock
from agent.cloud import (
    Batch,
    Beats,
    Certified,
    Cloud,
    Ends,
    Forgets,
    Placed,
    Receipt,
    Vitals,
)
from agent.daemon.buffer import Lane, Outbox
from agent.daemon.uplink.accounts import Accounts
from agent.daemon.uplink.allowance import Allowance
from agent.daemon.uplink.appetite import Appetite
from agent.daemon.uplink.budget import Spending
from agent.daemon.uplink.comeback import Comeback, after_boot_s, spread
from agent.daemon.uplink.delivery import Delivery, PostponedError
from agent.daemon.uplink.presence import Presence, Report
from agent.daemon.uplink.retry import Retry
from agent.errors import FieldpostError
from agent.plan import Destination

log = logging.get("uplink")

REOPEN_S = 60.0  # between looks whether a missing secret has been stored meanwhile
HELD_BACK = "the time of day is not known yet"
USED_UP = "the budget of this month is used up"
AWAKENING = "the power is back, and not all gateways begin in the same second"
LOOK_S = 1.0  # how often a lane that waits for its time looks whether a batch is full
SELDOM_S = 5.0  # how often one that waits for others looks whether it may go on
RENAMED_S = 1.0  # a commit takes less; until it is made the old names would go again
ORDER = (Lane.URGENT, Lane.LIVE, Lane.BACKLOG)


class Uplink:
    """Carries everything in one outbox to one destination.

    Args:
        destination: its part of the plan.
        open_cloud: makes the destination; raises FieldpostError while a secret is missing.
        outbox: what waits for it.
        report: who is told.

    Attributes:
        comeback: ends pauses early when the network is back; lanes of a gateway share one.
        ends: when certificates run out, as far as was seen.
        awoke: this start is the first since the power came back.
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
        self._allowance = Allowance(destination.allows, outbox, clock)
        self._accounts = Accounts(clock)
        self._appetite = Appetite()
        self._in_outage = self._asked = self._passed_over = False
        self._due_at_s = self._begins_at_s = 0.0
        self.comeback = Comeback()
        self.every_s = destination.every_s
        self.moved_at_s = clock.monotonic_s()
        self.waits_for: str | None = None
        self.ends = Ends()
        self.awoke = False

    @property
    def spending(self) -> Spending | None:
        """How this month's budget stands; None where there is none."""
        return self._allowance.spending

    @property
    def shut_out(self) -> Mapping[str, FieldpostError]:
        """Accounts that are not let in while others are, and why."""
        return self._accounts.reasons

    def try_now(self) -> None:
        """A person wants to know: pauses end, and accounts that are shut out are asked again."""
        self._begins_at_s = 0.0
        self._accounts.hurry()
        self.comeback.ask()

    async def run(self, vitals: Callable[[], Vitals]) -> None:
        """Carry until cancelled."""
        cloud = await self._opened()
        self._look_at(cloud)
        name = self._destination.name
        presence = Presence(name, self._report, self._allowance, self._recall, self._spread_s())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(cloud), name=f"uplink {name}")
                if isinstance(cloud, Beats):
                    beating = presence.beat(cloud, vitals, self.comeback)
                    group.create_task(beating, name=f"heartbeat {name}")
                elif isinstance(cloud, Placed):
                    knocking = presence.knock(cloud.place, lambda: self._asked)
                    group.create_task(knocking, name=f"knock {name}")
        finally:
            self._allowance.used(cloud, 0)
            self._allowance.save()
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
            await self._settle(cloud, batch, receipt)

        def failed(error: FieldpostError, pause_s: float) -> None:
            self._allowance.used(cloud, 0)
            self._wait_for(error, pause_s)

        retry = Retry(failed, self.comeback, lambda: self._outbox.waiting().urgent > 0)
        delivery = Delivery(cloud, settle, retry, self._may_go, self._appetite)
        while True:
            await self._until_allowed(cloud)
            await self._until_due(cloud)
            while batch := await self._next(cloud):
                await self._deliver(delivery, *batch)
            # with nothing else to send, a lane that waits for the clock is not stuck
            self.waits_for = HELD_BACK if self._outbox.held_back else None

    async def _deliver(self, delivery: Delivery, batch: Batch, lane: Lane) -> None:
        await delivery.deliver(batch, urgent=lane is Lane.URGENT)
        self.moved_at_s = self._clock.monotonic_s()
        if self._in_outage and self.waits_for is None:
            self._in_outage = False
            self._outbox.mark_live()

    async def _next(self, cloud: Cloud) -> tuple[Batch, Lane] | None:
        """What goes now: urgent records came first if there were any at this moment."""
        await self._turn()
        self._accounts.look(cloud)
        limits = self._appetite.narrowed(self._allowance.narrowed(cloud.limits))
        if self._accounts.takes:
            limits = replace(limits, takes=self._accounts.takes)
        self._passed_over = self._holds is not None
        for lane in ORDER[:1] if self._passed_over else ORDER:
            if batch := await self._outbox.take(limits, lane):
                return batch, lane
        return None

    async def _turn(self) -> None:
        """Wait until the rate lets something go; an urgent record does not wait."""
        while (pause_s := self._allowance.pause_s) > 0 and not self._outbox.waiting().urgent:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._outbox.urgent()

    def _spread_s(self) -> float:
        """After how long this gateway begins to send, should its whole region have awoken."""
        if not self.awoke:
            return 0.0
        now_s, backlog = self._clock.monotonic_s(), self._outbox.waiting().samples > 0
        pause_s = spread(after_boot_s(now_s, self._destination.every_s, backlog=backlog))
        self._begins_at_s = now_s + pause_s
        return pause_s

    @property
    def _holds(self) -> str | None:
        """Why only what is urgent may go at present."""
        if self._allowance.used_up:
            return USED_UP
        return AWAKENING if self._clock.monotonic_s() < self._begins_at_s else None

    def _may_go(self, urgent: bool) -> bool:  # noqa: FBT001 - asked by the delivery
        self._asked = True
        return urgent or not self._holds

    async def _until_allowed(self, cloud: Cloud) -> None:
        """Wait while only what is urgent may go, until there is some, or anything may."""
        if self._allowance.used_up:
            await cloud.aclose()  # an open connection costs as well
        while (reason := self._holds) and not self._outbox.waiting().urgent:
            self.waits_for = reason
            left_s = self._begins_at_s - self._clock.monotonic_s()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_S, left_s) if left_s > 0 else SELDOM_S):
                    await self._outbox.urgent()

    async def _until_news(self, cloud: Cloud) -> None:
        """Wait for what no round has looked at yet."""
        while not self._passed_over or self._holds:
            looks = self._passed_over or self._accounts.takes is not None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SELDOM_S if looks else None):
                    return await self._outbox.wait()
            if self._accounts.look(cloud):
                break
        return None

    async def _until_due(self, cloud: Cloud) -> None:
        """Wait for something to send, then until `every` after the last round.

        The first records after a quiet time go at once; a full batch or an urgent record never
        waits. What was accepted since the last round is thus sent within `every` of it.
        """
        await self._until_news(cloud)
        while (left := self._due_at_s - self._clock.monotonic_s()) > 0:
            waiting = self._outbox.waiting()
            if waiting.urgent or waiting.readings >= cloud.limits.readings:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_S)):
                    await self._outbox.urgent()
        self._due_at_s = self._clock.monotonic_s() + self._destination.every_s

    async def _settle(self, cloud: Cloud, batch: Batch, receipt: Receipt) -> None:
        if receipt.known and self._outbox.doubt(*receipt.known):
            await self._surpassed(receipt.known[1])
        self._accounts.learn(cloud, batch, receipt)
        if receipt.shut_out and self._outbox.crowded:
            receipt = _judged(receipt)
        repeated = await self._outbox.settle(batch, receipt)
        self._allowance.used(cloud, batch.readings)
        self._look_at(cloud)
        self.waits_for = None
        self.moved_at_s = self._clock.monotonic_s()
        name = self._destination.name
        readings = sum(len(batch.records[index].values) for index in receipt.accepted)
        if readings:
            self._report.delivered(name, readings - repeated, receipt.partly)
        for index, reason in receipt.refused.items():
            self._report.refused(name, len(batch.records[index].values), reason)

    async def _surpassed(self, number: int) -> None:
        """Nothing that it says counts for samples that may go by the names of others.

        Raises:
            PostponedError: they go another time, under names of their own.
        """
        name = self._destination.name
        self._report.surpassed(name)
        log.error(
            "It knows of samples that this gateway never sent; new ones get other names.",
            event_type="uplink.surpassed",
            destination=name,
            number=number,
        )
        await asyncio.sleep(RENAMED_S)
        raise PostponedError

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

    def _look_at(self, cloud: object) -> None:
        if isinstance(cloud, Certified):
            self.ends = cloud.ends


def _judged(receipt: Receipt) -> Receipt:
    """Too much is kept out of order: what is shut out is set aside, from where it can go again."""
    reasons = {index: why.message for index, why in receipt.shut_out.items()}
    return replace(receipt, refused={**receipt.refused, **reasons}, shut_out={})
