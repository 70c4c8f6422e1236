"""Whatever is done to what is held, accepted = delivered + set aside + lost + waiting."""

import asyncio
import itertools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cloud import Batch, Receipt
from agent.daemon.buffer import Buffer
from agent.sample import Sample, Value
from tests.daemon.buffer.parts import HandClock, balanced, opened, take

Step = tuple[str, Any]
Steps = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), st.integers(1, 5)),
        st.tuples(st.just("send"), st.lists(st.sampled_from("aar."), min_size=1, max_size=6)),
        st.tuples(st.just("replay"), st.none() | st.lists(st.integers(1, 12), max_size=4)),
        st.tuples(st.just("drop"), st.sampled_from([(True, True), (True, False), (False, True)])),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=12,
)
BEGINNING: list[Step] = [("accept", 4), ("send", ["a", "r"]), ("replay", [2])]


class Play:
    """Everything that can happen to what one of two destinations is owed."""

    def __init__(self, buffer: Buffer, clock: HandClock, delivered: set[int]) -> None:
        self.buffer = buffer
        self.clock = clock
        self.delivered = delivered

    async def accept(self, samples: int) -> None:
        for number in range(samples):
            values: dict[str, Value] = {f"p{n}": n for n in range(number % 3 + 1)}
            await self.buffer.put(Sample("meter", self.clock.now(), values))
        await self.buffer.flush()

    async def send(self, said: list[str]) -> None:
        """Two requests, with no commit between them."""
        for _ in range(2):
            await self._send(said)

    async def _send(self, said: list[str]) -> None:
        box = self.buffer.outbox("a")
        records = await take(box)
        told = list(zip(itertools.cycle(said), range(len(records)), strict=False))
        receipt = Receipt([i for a, i in told if a == "a"], {i: "no" for a, i in told if a == "r"})
        fresh = {records[i].seq for i in receipt.accepted}
        assert not fresh & self.delivered
        self.delivered |= fresh
        if records:
            await box.settle(Batch(records), receipt)

    async def replay(self, seqs: list[int] | None) -> None:
        names = None if seqs is None else [("", seq) for seq in seqs]
        await self.buffer.requeue.replay("a", names)

    async def drop(self, what: tuple[bool, bool]) -> None:
        await self.buffer.requeue.drop("a", waiting=what[0], rejected=what[1])


async def played(steps: list[Step], folder: Path) -> None:
    clock, delivered = HandClock(), set[int]()
    left = iter([*BEGINNING, *steps])
    stopped = False
    while not stopped:
        stopped = True
        async with opened(folder, clock, ("a", "b")) as buffer:
            play = Play(buffer, clock, delivered)
            await agree(buffer)
            for what, how in left:
                if what == "restart":
                    stopped = False
                    break
                await getattr(play, what)(how)
                await agree(buffer)


async def agree(buffer: Buffer) -> None:
    """The sums are even, and the tables hold exactly what the sums speak of."""
    assert balanced(buffer)
    facts = buffer.facts().destinations["a"]
    waiting = [len(record.values) async for record in buffer.views.waiting("a")]
    assert sum(waiting) == facts.waiting
    await buffer.views.settle()
    held = (await buffer.views.held()).get("a")
    assert (held.count.readings if held else 0) == facts.rejected
    lost = [line.count.readings for line in await buffer.views.lost() if line.destination == "a"]
    assert sum(lost) == facts.lost


@pytest.mark.timeout(60)
@settings(max_examples=50, deadline=None)
@given(Steps)
def test_whatever_is_sent_refused_replayed_and_dropped_the_sums_agree(
    steps: list[Step],
) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(played(steps, Path(folder)))
