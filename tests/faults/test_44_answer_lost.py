"""Fault 44: stored by the server, and its answer is lost."""

import pytest

from agent.cloud import Unreachable
from agent.cloud.tesaiot.account import Pace
from agent.demo.sandbox import Sandbox
from tests.cloud.carrying import carry
from tests.cloud.records import EPOCH, batch
from tests.faults.clouds import SOON_S, http, tesaiot
from tests.faults.flaws import RENAMES, SENT_IS_ENOUGH
from tests.faults.road import SOUND, Archive, Build, over_http
from tests.lab.scripted import Asked, Scripted, echo, in_turn

LATE_S = 3.0
TROUBLES = ({"drop_answer": True}, {"truncate": True}, {"latency_s": 2 * LATE_S})


@pytest.mark.timeout(30)
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: next(iter(trouble)))
async def test_the_platform_gets_the_same_ids_again_and_nothing_else_twice(
    trouble: dict[str, object],
) -> None:
    async with Sandbox() as sandbox, tesaiot(sandbox, Pace(0.0, LATE_S)) as cloud:
        await carry(cloud, batch(5))
        sandbox.control.set(**trouble, times=1)
        carried = await carry(cloud, batch(20, first=6))
        assert carried.failures == 1
        assert sorted(carried.accepted) == list(range(6, 26))
        twice = {(epoch, seq) for epoch, seq, _ in sandbox.store.duplicates()}
        # what was late may not have been stored at all
        assert twice <= {(EPOCH, seq) for seq in range(6, 26)}
        assert sandbox.store.holes() == []


async def test_the_platform_is_asked_for_its_health_before_anything_is_repeated() -> None:
    async with Sandbox() as sandbox, tesaiot(sandbox) as cloud:
        sandbox.control.set(drop_answer=True, times=1)
        with pytest.raises(Unreachable):
            await cloud.send(batch(2))
        sandbox.routes.databases["timescaledb"] = False
        with pytest.raises(Unreachable, match="database"):
            await cloud.send(batch(2))
        assert sandbox.store.count() == 2
        sandbox.routes.databases["timescaledb"] = True
        assert len((await cloud.send(batch(2))).accepted) == 2
        assert sandbox.store.count() == 4


@pytest.mark.timeout(30)
async def test_a_batch_that_takes_too_long_is_halved_and_grows_slowly() -> None:
    pace = Pace(0.0, SOON_S)
    async with Sandbox() as sandbox, tesaiot(sandbox, pace) as cloud:
        await carry(cloud, batch(1))
        pace.deadline_s = 1.0
        sandbox.control.set(latency_s=2.0, times=3)  # a batch, the look before the next, the next
        sizes = []
        for _ in range(2):
            with pytest.raises(Unreachable):
                await cloud.send(batch(200))
            sizes.append(cloud.limits.records)
        assert sizes == [100, 50]
        sandbox.control.clear()
        pace.deadline_s = SOON_S
        receipt = await cloud.send(batch(200))
        assert sorted(receipt.accepted) == list(range(50))
        assert cloud.limits.records == 60


@pytest.mark.parametrize("build", [SOUND, RENAMES, SENT_IS_ENOUGH], ids=str)
def test_stored_or_not_what_was_not_answered_comes_again_under_its_own_name(build: Build) -> None:
    archive = Archive()
    before_it_was_stored = archive.deaf(lambda _: [])
    found = over_http(archive, [before_it_was_stored, archive.mute, archive.mute], build)
    assert build.caught(found)
    assert build is not SOUND or len(archive.order) == 3 * len(archive.held)


async def test_a_repeated_request_carries_the_same_key_and_the_same_bytes() -> None:
    async with Scripted(in_turn([lambda _: [], echo])) as server, http(server.url) as cloud:
        sent = batch(4)
        with pytest.raises(Unreachable):
            await cloud.send(sent)
        assert len((await cloud.send(sent)).accepted) == 4
    first, second = server.asked
    assert first.body == second.body
    assert key(first) == key(second)
    assert key(first).startswith(f"{EPOCH}:1-4:")


def key(asked: Asked) -> str:
    return asked.headers["idempotency-key"]
