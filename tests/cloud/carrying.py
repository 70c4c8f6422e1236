"""What the uplink does with a destination, without its pauses."""

from collections import deque
from dataclasses import dataclass, field

from agent.cloud import Batch, BatchRefused, Cloud, Receipt, Record, Unreachable

FAILURES_MAX = 60


@dataclass(slots=True)
class Carried:
    """What became of a batch.

    Attributes:
        accepted: numbers of the records.
        aside: numbers of those set aside, with the reason.
        failures: requests that were not answered.
        refusals: requests refused as a whole.
    """

    accepted: list[int] = field(default_factory=list)
    aside: dict[int, str] = field(default_factory=dict)
    failures: int = 0
    refusals: int = 0
    partly: int = 0


async def carry(cloud: Cloud, batch: Batch, failures_max: int = FAILURES_MAX) -> Carried:
    """Send until every record has been answered for."""
    carried = Carried()
    waiting = deque([list(batch.records)])
    while waiting:
        part = waiting.popleft()
        try:
            receipt = await cloud.send(Batch(part))
        except BatchRefused as error:
            carried.refusals += 1
            if len(part) > 1:
                waiting.extendleft([part[len(part) // 2 :], part[: len(part) // 2]])
                continue
            receipt = Receipt(refused={0: error.message})
        except Unreachable:
            carried.failures += 1
            if carried.failures > failures_max:
                raise
            waiting.appendleft(part)
            continue
        if rest := _settled(carried, part, receipt):
            waiting.appendleft(rest)
    return carried


def _settled(carried: Carried, part: list[Record], receipt: Receipt) -> list[Record]:
    assert receipt.accepted or receipt.refused, "the uplink takes this for an outage"
    carried.accepted += [part[index].seq for index in receipt.accepted]
    carried.aside |= {part[index].seq: text for index, text in receipt.refused.items()}
    carried.partly += receipt.partly
    named = {*receipt.accepted, *receipt.refused}
    return [record for index, record in enumerate(part) if index not in named]
