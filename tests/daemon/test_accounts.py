"""One destination, several accounts: one that is shut out holds up nobody, and loses nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agent.cloud import Batch, Cloud, Limits, Receipt, Unauthorized
from agent.cloud.tesaiot.account import Pace
from agent.cloud.tesaiot.destination import KeyCloud, made
from agent.cloud.tesaiot.opening import Plan
from agent.daemon.buffer import Buffer, Lane
from agent.daemon.buffer.outbox import RANGES_MAX
from agent.daemon.uplink import Uplink
from agent.demo.sandbox import Sandbox
from agent.plan import Destination
from agent.sample import Sample
from agent.secret import Secret
from tests.daemon.buffer.parts import HandClock, balanced, opened
from tests.daemon.test_uplink import until, vitals
from tests.daemon.twins import Reported

DAY_S = 86_400.0
COLD, OTHER = "ab-cold-02", "fp-demo-01"


def platform(sandbox: Sandbox) -> KeyCloud:
    secrets = {"b": Secret("b", sandbox.bundle(OTHER)), "c": Secret("c", sandbox.bundle(COLD))}
    found = made(Plan("b", identities={"cold-room": "c"}), secrets, Pace(0.0))
    assert isinstance(found, KeyCloud)
    return found


@asynccontextmanager
async def lane(buffer: Buffer, cloud: Cloud, clock: HandClock) -> AsyncIterator[Uplink]:
    destination = Destination("cloud", "tesaiot", "x:y", 0.01, None, {})
    uplink = Uplink(destination, lambda: cloud, buffer.outbox("cloud"), Reported(), clock)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(uplink.run(vitals), name="uplink")
        yield uplink
        task.cancel()


class Plant:
    """Two devices that speak in turn."""

    def __init__(self, buffer: Buffer, clock: HandClock) -> None:
        self.buffer = buffer
        self.clock = clock
        self.count = 0

    async def speak(self, times: int, *, urgent: bool = False) -> None:
        for _ in range(times):
            self.count += 1
            for device in ("meter", "cold-room"):
                at = self.clock.now()
                await self.buffer.put(Sample(device, at, {"n": self.count}, urgent=urgent))
            self.clock.tick(0.2)
        await self.buffer.flush()


def held(sandbox: Sandbox, device: str) -> list[int]:
    rows = sandbox.store.telemetry(device, 0, 10_000, None)
    return [next(iter(row["data"].values())) for row in rows]


def right_now() -> HandClock:
    """A clock that the sandbox agrees with."""
    from agent.clock import wall_ns  # noqa: PLC0415 - one use

    return HandClock(wall_ns=wall_ns() - 3600 * 10**9)


async def test_a_refused_account_is_kept_named_and_sent_in_order_when_it_is_let_in_again(
    tmp_path: Path,
) -> None:
    clock = right_now()
    async with Sandbox() as sandbox, opened(tmp_path, clock) as buffer:
        cloud, plant, box = platform(sandbox), Plant(buffer, clock), buffer.outbox("cloud")
        sandbox.store.devices[COLD].status = "revoked"
        async with lane(buffer, cloud, clock) as uplink:
            for step in range(4):
                await plant.speak(10, urgent=step == 2)
                await until(lambda: box.waiting().samples == plant.count)
            assert list(uplink.shut_out) == [COLD]
            assert held(sandbox, COLD) == []
            assert len(held(sandbox, OTHER)) == plant.count
            assert box.waiting().urgent == 0  # those that wait for a person hurry nobody
            sandbox.store.devices[COLD].status = "active"
            clock.tick(301)
            await plant.speak(1)
            await until(lambda: not box.waiting().samples)
            assert uplink.shut_out == {}
        together = [n for n in held(sandbox, COLD) if not 21 <= n <= 30]  # alarms go first
        assert sorted(together) in (together, together[::-1])
        assert sorted(held(sandbox, COLD)) == list(range(1, plant.count + 1))
        assert sorted(held(sandbox, OTHER)) == list(range(1, plant.count + 1))
        assert balanced(buffer)


async def test_what_is_kept_survives_a_restart(tmp_path: Path) -> None:
    clock = right_now()
    async with Sandbox() as sandbox:
        sandbox.register(COLD)
        sandbox.store.devices[COLD].status = "revoked"
        async with opened(tmp_path, clock) as buffer:
            plant = Plant(buffer, clock)
            async with lane(buffer, platform(sandbox), clock):
                await plant.speak(20)
                await until(lambda: buffer.outbox("cloud").waiting().samples == 20)
            assert len(held(sandbox, OTHER)) == 20
        sandbox.store.devices[COLD].status = "active"
        async with opened(tmp_path, clock) as buffer:
            box = buffer.outbox("cloud")
            assert box.waiting().samples == 20
            async with lane(buffer, platform(sandbox), clock):
                await until(lambda: not box.waiting().samples)
        assert len(held(sandbox, OTHER)) == len(held(sandbox, COLD)) == 20


class Divided:
    """Takes everything but the records of one device."""

    limits = Limits(records=50)

    def __init__(self) -> None:
        self.taken: list[int] = []

    def account_of(self, device: str) -> str:
        return device

    async def send(self, batch: Batch) -> Receipt:
        why = Unauthorized("not let in")
        out = [i for i, record in enumerate(batch.records) if record.device == "cold-room"]
        good = [i for i in range(len(batch.records)) if i not in out]
        self.taken += [int(batch.records[i].values["n"]) for i in good]
        return Receipt(good, shut_out=dict.fromkeys(out, why))

    async def aclose(self) -> None:
        pass


async def test_too_much_out_of_order_is_set_aside_where_it_can_go_again(tmp_path: Path) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock) as buffer:
        plant, cloud, box = Plant(buffer, clock), Divided(), buffer.outbox("cloud")
        async with lane(buffer, cloud, clock):
            await plant.speak(RANGES_MAX + 100)
            await until(lambda: len(cloud.taken) == plant.count)
            assert box.cursor.rejected.samples == 0
            assert box.receipts_s > 100  # so many ranges are written seldom
            clock.tick(301)
            await plant.speak(1)
            await until(lambda: box.cursor.rejected.samples > 0)
        assert balanced(buffer)


async def expired_of(folder: Path, limits: Limits) -> dict[str, Any]:
    """What a destination's ledger says after samples of 91 days ago and of today."""
    clock = HandClock()
    async with opened(folder, clock) as buffer:
        plant = Plant(buffer, clock)
        await plant.speak(30)
        clock.tick(91 * DAY_S)
        await plant.speak(5)
        box, ages = buffer.outbox("cloud"), []
        for way in (Lane.LIVE, Lane.BACKLOG):
            while batch := await box.take(limits, way):
                ages += [clock.wall_ns - record.time_ns for record in batch.records]
                await box.settle(batch, Receipt(range(len(batch.records))))
        await buffer.flush()
        assert balanced(buffer)
        told = buffer.facts().destinations["cloud"]
        return {"oldest_s": max(ages) / 1e9, "sent": len(ages), **told.lost_by_reason}


async def test_what_is_too_old_for_the_platform_is_given_up_before_it_is_sent(
    tmp_path: Path,
) -> None:
    async with Sandbox() as sandbox:
        limits = platform(sandbox).limits
    found = await expired_of(tmp_path / "platform", limits)
    assert found["oldest_s"] < 90 * DAY_S
    assert (found["sent"], found["expired"]) == (10, 60)
    # a destination without such a limit is sent everything
    found = await expired_of(tmp_path / "other", Limits(trusted_time=True))
    assert (found["sent"], found.get("expired")) == (70, None)
