"""What one destination may still be sent: its rate, and its month's budget.

Both are paid afterwards, by what was really used, and urgent records go all the same: they are
counted, not held. A rate leaves each batch no larger than a few seconds of it, so that a live
record finds the line free soon, and the backlog gets what the live ones leave.
"""

import asyncio
from dataclasses import replace

from agent import plan
from agent.clock import Clock
from agent.cloud import Limits, Metered
from agent.daemon.uplink.budget import Book, Budget, Spending

PIECE_S = 5.0  # of the rate: no batch is larger, once it is known what a reading costs
READING_BYTES = 40.0  # on the wire, until it is measured
FRESH = 0.2  # how much one request counts in the mean
READINGS_LEAST = 10  # in a batch: below it headers cost more than readings


class Allowance:
    """Adds up what goes, and says what may go.

    Args:
        allowed: by the plan.
        book: where the month's figure is kept.
    """

    def __init__(self, allowed: plan.Allowance, book: Book, clock: Clock) -> None:
        self._allowed = allowed
        self._budget = (
            Budget(allowed.bytes_a_month, allowed.timezone, book, clock)
            if allowed.bytes_a_month is not None
            else None
        )
        self._reading_bytes = READING_BYTES
        self._seen = 0
        self._free_at_s = 0.0

    @property
    def used_up(self) -> bool:
        """Whether only what is urgent may go until the next month."""
        return self._budget is not None and self._budget.used_up

    @property
    def spending(self) -> Spending | None:
        """How the month's budget stands; None where there is none."""
        return self._budget.spending if self._budget else None

    @property
    def pause_s(self) -> float:
        """How long the rate lets nothing go that is not urgent."""
        return max(0.0, self._free_at_s - asyncio.get_running_loop().time())

    def narrowed(self, limits: Limits) -> Limits:
        """What of a destination's limits the rate leaves to one batch."""
        most = limits.readings
        if (rate := self._allowed.readings_per_s) is not None:
            most = min(most, int(rate * PIECE_S))
        if (rate := self._allowed.bytes_per_s) is not None:
            most = min(most, max(READINGS_LEAST, int(rate * PIECE_S / self._reading_bytes)))
        return replace(limits, readings=max(1, most)) if most < limits.readings else limits

    def used(self, cloud: object, readings: int) -> None:
        """A request, with so many readings in it, has ended; or a heartbeat, with none."""
        size = self._grown(cloud)
        if readings and size:
            self._reading_bytes += (size / readings - self._reading_bytes) * FRESH
        if self._budget:
            self._budget.add(size)
        cost_s = 0.0
        if (rate := self._allowed.readings_per_s) is not None:
            cost_s = readings / rate
        if (rate := self._allowed.bytes_per_s) is not None:
            cost_s = size / rate
        if cost_s:
            now_s = asyncio.get_running_loop().time()
            self._free_at_s = max(self._free_at_s, now_s) + cost_s

    def save(self) -> None:
        """Have the month's figure noted before a stop."""
        if self._budget:
            self._budget.save()

    def _grown(self, cloud: object) -> int:
        """Bytes since the last look."""
        if not isinstance(cloud, Metered):
            return 0
        before, self._seen = self._seen, cloud.wire_bytes
        return max(0, self._seen - before)
