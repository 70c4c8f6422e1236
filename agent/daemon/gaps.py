"""Tells the clouds what they will never get, so that they can draw a gap instead of a line.

A line of the loss ledger goes out as a sample of its own: device `fieldpost`, with the points
below. That is the smallest road which keeps every promise of the others: it has an identity, is
committed before it leaves, is retried, counted and acknowledged, and every kind of destination can
carry it without a word of its own protocol. The price is that all destinations hear of it, so
`lost_destination` says whom it is about, and that its values count as readings.

It is urgent: room is never made at the cost of what says that room was made. A destination's losses
are told when it has just acknowledged something, so months offline end in few records, not in one
a minute. A line may grow (touching losses are joined) and is then told again: `lost_id` names the
line, and the newest record of it replaces those before. A cut between telling and noting that it
was told repeats it, with the same `lost_id`.
"""

import asyncio

from agent.clock import Clock, iso
from agent.daemon.buffer import Buffer, LossEntry
from agent.errors import UnavailableError
from agent.sample import Sample, Value

DEVICE = "fieldpost"
EVERY_S = 300.0  # each is a commit of its own; a gap is drawn soon enough five minutes later
AT_ONCE = 50  # lines told in one look
MS_NS = 1_000_000
EPOCH_SHOWN = 8  # characters: enough to tell the lives of one store apart


class Gaps:
    """Puts what was lost beside what was not.

    Args:
        buffer: holds the ledger, and takes the samples about it.
    """

    def __init__(self, buffer: Buffer, clock: Clock) -> None:
        self._buffer = buffer
        self._clock = clock
        self._delivered: dict[str, int] = {}

    async def run(self) -> None:
        """Look every few minutes, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Tell what can be heard now."""
        found = self._buffer.facts().destinations
        before, self._delivered = self._delivered, {n: d.delivered for n, d in found.items()}
        hearing = {name for name, n in self._delivered.items() if n > before.get(name, n)}
        if not hearing:
            return
        deaf = sorted(set(found) - hearing)
        try:
            lines = await self._buffer.views.untold(deaf, AT_ONCE)
            for key, loss in lines:
                await self._buffer.put(self._sample(key, loss))
            await self._buffer.views.told(lines)
        except UnavailableError:
            return  # the disk errs; the ledger waits

    def _sample(self, key: int, loss: LossEntry) -> Sample:
        values: dict[str, Value] = {
            "lost_id": f"{loss.epoch[:EPOCH_SHOWN]}-{key}",
            "lost_destination": loss.destination,
            "lost_reason": str(loss.reason),
            "lost_readings": loss.count.readings,
            "lost_exact": loss.exact,
            "lost_to": iso(loss.to_ms * MS_NS),
        }
        if loss.from_ms:
            values["lost_from"] = iso(loss.from_ms * MS_NS)
        return Sample(DEVICE, self._clock.now(), values, urgent=True)
