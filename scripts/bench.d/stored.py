"""What the benches of the store share: a plant whose values walk, and how they come and go."""

import random

from agent.clock import SystemClock
from agent.cloud import Limits, Receipt
from agent.daemon.buffer import Buffer, Lane
from agent.sample import Sample

NAME = "cloud"
CLOCK = SystemClock()


class Plant:
    """Devices whose values walk: six of ten move by up to five at each reading."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.random = random.Random(42)  # noqa: S311 - the same plant in every run
        self.values: dict[int, dict[str, int]] = {}

    def sample(self, device: int) -> Sample:
        """One poll of all registers."""
        draw = self.random
        values = self.values.setdefault(
            device, {f"tag_{n}": draw.randrange(5000) for n in range(self.points)}
        )
        for tag in values:
            if draw.random() < 0.6:
                values[tag] += draw.randint(-5, 5)
        return Sample(f"device-{device}", CLOCK.now(), dict(values))


async def fill(buffer: Buffer, samples: list[Sample]) -> None:
    """Put samples and have them committed."""
    for sample in samples:
        await buffer.put(sample)
    await buffer.flush()


async def deliver(buffer: Buffer) -> int:
    """Take everything and settle it; how many readings that was."""
    outbox, readings = buffer.outbox(NAME), 0
    while batch := await outbox.take(Limits(records=1000, readings=10_000), Lane.ANY):
        await outbox.settle(batch, Receipt(accepted=range(len(batch.records))))
        readings += batch.readings
    return readings
