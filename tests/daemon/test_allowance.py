"""What a destination may cost: its rate, its month, and what goes all the same."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from typing_extensions import override

from agent import plan
from agent.clock import from_iso
from agent.cloud import Batch, Limits, Receipt
from agent.daemon.uplink import Uplink
from agent.daemon.uplink.allowance import PIECE_S
from agent.daemon.uplink.budget import Budget
from agent.daemon.uplink.lane import USED_UP
from tests.daemon.buffer.parts import HandClock, opened
from tests.daemon.test_uplink import vitals
from tests.daemon.twins import ListOutbox, Reported, ScriptedCloud, record
from tests.lab.hurry import hurried
from tests.simulation.clock import SimClock

if TYPE_CHECKING:
    from agent.daemon.buffer import Outbox

REQUEST_BYTES, READING_BYTES = 500, 50
REQUEST_S = 0.3


class Costly(ScriptedCloud):
    """Takes its time, and knows what it costs."""

    wire_bytes = 0

    def __init__(self, records: int = 200) -> None:
        super().__init__(limits=Limits(records=records))
        self.sent_s: dict[int, float] = {}
        self.sizes: list[int] = []

    @override
    async def send(self, batch: Batch) -> Receipt:
        await asyncio.sleep(REQUEST_S)
        self.wire_bytes += REQUEST_BYTES + READING_BYTES * batch.readings
        self.sizes.append(batch.readings)
        self.sent_s |= {r.seq: asyncio.get_running_loop().time() for r in batch.records}
        return await super().send(batch)


class Book(ListOutbox):
    """An outbox that keeps the month's figure as well."""

    spent = (0, 0)
    crowded = False

    def spend(self, month: int, size: int) -> None:
        self.spent = (month, size)


class Lane:
    """One lane on hurried time."""

    def __init__(self, cloud: Costly, box: Book, allowed: plan.Allowance) -> None:
        self.cloud = cloud
        self.box = box
        self.clock = SimClock(asyncio.get_running_loop().time)
        self.clock.reboot("boot-1", 0.0)
        self.clock.show(0, vouched=True)
        destination = plan.Destination("archive", "http", "x:y", 1.0, None, {}, allows=allowed)
        self.uplink = Uplink(
            destination, lambda: cloud, cast("Outbox", box), Reported(), self.clock
        )

    async def live(self, for_s: float, *others: Coroutine[Any, Any, None]) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(other, name="other") for other in others]
            tasks.append(group.create_task(self.uplink.run(vitals), name="uplink"))
            await asyncio.sleep(for_s)
            for task in tasks:
                task.cancel()


async def measured(box: Book, first: int, count: int, every_s: float) -> dict[int, float]:
    """Live records come one by one; when each came."""
    came_s = {}
    for seq in range(first, first + count):
        await asyncio.sleep(every_s)
        came_s[seq] = asyncio.get_running_loop().time()
        box.add(record(seq))
    return came_s


@pytest.mark.parametrize(
    ("allowed", "per_s"),
    [
        (plan.Allowance(readings_per_s=20.0), 20.0),
        (plan.Allowance(bytes_per_s=2000.0), 2000.0 / READING_BYTES),
    ],
)
def test_a_backlog_has_what_the_live_ones_leave_and_these_wait_for_one_request(
    allowed: plan.Allowance, per_s: float
) -> None:
    async def work() -> None:
        cloud, box = Costly(), Book([record(seq) for seq in range(1, 5001)])
        box.live_from = 5001
        lane = Lane(cloud, box, allowed)
        came_s: dict[int, float] = {}

        async def live() -> None:
            came_s.update(await measured(box, 6001, 20, 5.0))

        await lane.live(110.0, live())
        waited = [cloud.sent_s[seq] - moment for seq, moment in came_s.items()]
        # one request of the backlog, what it has to be paid for, and its own
        assert max(waited) <= REQUEST_S + 1.5 * PIECE_S + REQUEST_S
        assert 0.5 * per_s * 110 < len(cloud.delivered) <= 1.1 * per_s * (110 + PIECE_S)
        if allowed.bytes_per_s:
            assert cloud.wire_bytes <= 1.1 * allowed.bytes_per_s * (110 + PIECE_S)

    hurried(work())


def test_without_a_rate_a_live_record_waits_for_one_request_while_a_backlog_drains() -> None:
    async def work() -> None:
        cloud, box = Costly(records=20), Book([record(seq) for seq in range(1, 4001)])
        box.live_from = 4001
        lane = Lane(cloud, box, plan.Allowance())
        came_s: dict[int, float] = {}

        async def live() -> None:
            came_s.update(await measured(box, 60_001, 15, 1.7))

        await lane.live(30.0, live())
        assert len(cloud.delivered) > 1500
        waited = [cloud.sent_s[seq] - moment for seq, moment in came_s.items()]
        assert max(waited) <= 2 * REQUEST_S + 0.01

    hurried(work())


def test_an_urgent_record_does_not_wait_for_the_rate() -> None:
    async def work() -> None:
        cloud, box = Costly(), Book([record(seq) for seq in range(1, 500)])
        lane = Lane(cloud, box, plan.Allowance(readings_per_s=1.0))

        async def alarm() -> None:
            await asyncio.sleep(12.0)
            box.add(record(9000), urgent=True)

        await lane.live(20.0, alarm())
        assert cloud.sent_s[9000] <= 12.0 + 2 * REQUEST_S + 0.01

    hurried(work())


async def new_month(lane: Lane) -> None:
    """The calendar turns, and what was kept goes on."""
    spending, before = lane.uplink.spending, len(lane.cloud.delivered)
    assert spending is not None
    assert spending.resets_ns is not None
    later = Lane(lane.cloud, lane.box, plan.Allowance(bytes_a_month=20_000))
    later.clock.show(spending.resets_ns - later.clock.now().wall_ns, vouched=True)
    await later.live(20.0)
    assert len(lane.cloud.delivered) > before


def test_a_used_up_budget_lets_only_alarms_out_until_the_next_month() -> None:
    async def work() -> None:
        cloud, box = Costly(), Book([record(seq) for seq in range(1, 2001)])
        lane = Lane(cloud, box, plan.Allowance(bytes_a_month=20_000))
        said: list[str | None] = []

        async def alarm() -> None:
            await asyncio.sleep(60.0)
            said.append(lane.uplink.waits_for)
            assert box.spent[1] >= 20_000
            box.add(record(9000), urgent=True)

        await lane.live(120.0, alarm())
        assert said == [USED_UP]
        assert 9000 in cloud.delivered
        assert cloud.wire_bytes <= 20_000 + 2 * (REQUEST_BYTES + 200 * READING_BYTES)
        assert box.held
        assert cloud.closed  # an open connection costs as well
        await new_month(lane)

    hurried(work())


def at(text: str) -> HandClock:
    return HandClock(wall_ns=from_iso(text))


async def test_the_month_is_the_sites_and_survives_a_restart(tmp_path: Path) -> None:
    clock = at("2026-11-30T16:50:00Z")
    async with opened(tmp_path, clock) as buffer:
        budget = Budget(1000, "Asia/Bangkok", buffer.outbox("cloud"), clock)
        budget.add(700)
        budget.save()
        assert budget.spending.resets_ns == from_iso("2026-11-30T17:00:00Z")  # midnight there
    async with opened(tmp_path, clock) as buffer:
        budget = Budget(1000, "Asia/Bangkok", buffer.outbox("cloud"), clock)
        assert budget.spending.used_bytes == 700
        budget.add(400)
        assert budget.spending.used_bytes == 1100
        clock.tick(601)
        budget.add(5)
        budget.save()
        # this much of the evening before was not noted yet: it counts, in the new month
        assert budget.spending.used_bytes == 405


async def test_power_is_cut_and_the_figure_is_at_most_a_minute_old(tmp_path: Path) -> None:
    clock = at("2026-11-10T12:00:00Z")
    async with opened(tmp_path, clock) as buffer:
        budget = Budget(10**6, "UTC", buffer.outbox("cloud"), clock)
        for _ in range(10):
            clock.tick(30)
            budget.add(100)
            await buffer.flush()
        spent = buffer.outbox("cloud").spent
    assert spent[0] == 202611
    assert spent[1] >= 1000 - 200


class Kept:
    """A book on its own."""

    spent = (202611, 900)

    def spend(self, month: int, size: int) -> None:
        self.spent = (month, size)


def test_a_clock_that_cannot_be_believed_begins_no_new_month() -> None:
    book, clock = Kept(), at("2031-01-05T00:00:00Z")
    clock.trusted = False
    budget = Budget(1000, "UTC", book, clock)
    assert budget.spending.used_bytes == 900
    assert budget.spending.resets_ns is None
    clock.trusted = True
    assert budget.spending.used_bytes == 0


def test_a_clock_that_went_too_far_and_comes_back_holds_up_no_new_month() -> None:
    book, clock = Kept(), at("2036-01-05T00:00:00Z")
    budget = Budget(1000, "UTC", book, clock)
    budget.add(100)
    budget.save()
    assert book.spent == (203601, 100)
    clock.wall_ns = from_iso("2026-11-20T00:00:00Z")
    budget.add(100)
    budget.save()
    assert book.spent == (202611, 200)
    clock.wall_ns = from_iso("2026-12-01T00:00:00Z")
    assert budget.spending.used_bytes == 0
