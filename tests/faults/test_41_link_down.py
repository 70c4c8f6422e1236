"""Fault 41: the link is down, for a second or for months: live first, the backlog beside it.

Everything is buffered meanwhile (what the quota then gives up is fault 12). Once somebody answers
again, what comes now is not held up by what came then, each lane keeps its order, and all arrives.
"""

import asyncio
from itertools import pairwise

import pytest

from agent.cloud import Batch, Limits, Receipt, Unreachable
from tests.faults.flaws import DROPS, HAMMERS, LATEST_FIRST, NO_LANES, SETTLES_AT_ONCE
from tests.faults.road import DEADLINE_S, EVERY_S, HOUR_S, SOUND, Archive, Build, Road, road
from tests.simulation.loop import NothingToCome, VirtualLoop

DAY_S = 24 * HOUR_S
DURING = 1000
AFTER = 100
LIVE_EVERY_S = 0.2
LIVE_WITHIN_S = 1.0  # some requests
REQUEST_S = 0.1
PAUSE_S = 150.0  # on average, once the pauses do not double any more


class Link:
    """A destination behind a link that is up or down."""

    limits = Limits(records=20)

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.down, self.tries = False, 0
        self.back = asyncio.Event()
        self.arrived_s: dict[int, float] = {}

    async def send(self, batch: Batch) -> Receipt:
        await asyncio.sleep(REQUEST_S)
        if self.down:
            self.tries += 1
            message = "no route to host"
            raise Unreachable(message)
        self.archive.came()
        now_s = asyncio.get_running_loop().time()
        self.back.set()
        for one in batch.records:
            self.archive.answered.add(self.archive.take(one.epoch, one.seq, dict(one.values)))
            self.arrived_s[int(one.values["n"])] = now_s
        return Receipt(range(len(batch.records)))

    async def aclose(self) -> None:
        """Nothing to let go of."""


async def outage(down_s: float, build: Build) -> list[str]:
    """What is wrong after the link was down for so long."""
    archive = Archive()
    link = Link(archive)
    async with road(link, archive, build) as way:
        await way.put(20)
        await way.through(DEADLINE_S)
        link.down = True
        link.back.clear()
        for _ in range(DURING):
            await way.put(1)
            await asyncio.sleep(down_s / DURING)
        link.down = False
        await link.back.wait()
        if link.tries > 20 + 3 * down_s / PAUSE_S:
            archive.wrong.append(f"I6: {link.tries} requests in {down_s:.0f} s")
        put_s = await live(way)
        await way.through(HOUR_S)
        judge(link, put_s)
        return await way.judge()


async def live(way: Road) -> dict[int, float]:
    """Samples that come while the backlog drains, and when they came."""
    put_s = {}
    for _ in range(AFTER):
        await way.put(1)
        put_s[way.put_count] = asyncio.get_running_loop().time()
        await asyncio.sleep(LIVE_EVERY_S)
    return put_s


def judge(link: Link, put_s: dict[int, float]) -> None:
    """Live samples took no longer than their requests, and each lane kept its order."""
    arrived_s, order = link.arrived_s, link.archive.order
    drained_s = max(at_s for number, at_s in arrived_s.items() if number not in put_s)
    late = [
        number
        for number, at_s in put_s.items()
        if arrived_s.get(number, 1e9) - at_s > LIVE_WITHIN_S + (at_s > drained_s) * EVERY_S
    ]
    if late:
        link.archive.wrong.append(f"I7: {len(late)} live samples waited behind the backlog")
    for lane in ([n for n in order if (n in put_s) is live] for live in (True, False)):
        if any(one > two for one, two in pairwise(lane)):
            link.archive.wrong.append("I3: the order within a lane is lost")


def run(down_s: float, build: Build) -> list[str]:
    try:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(outage(down_s, build))
    except NothingToCome:
        return ["I1: the link is back, and nothing is left to be sent"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("down_s", [1.0, 60.0, HOUR_S, DAY_S, 90 * DAY_S])
def test_what_comes_now_goes_first_and_what_came_then_beside_it(down_s: float) -> None:
    assert run(down_s, SOUND) == []


@pytest.mark.parametrize(
    "build", [DROPS, HAMMERS, LATEST_FIRST, NO_LANES, SETTLES_AT_ONCE], ids=str
)
def test_an_uplink_that_forgets_its_lanes_or_its_patience_is_caught(build: Build) -> None:
    assert run(2 * HOUR_S, build) != []
