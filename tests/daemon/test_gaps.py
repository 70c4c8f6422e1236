"""What was lost is told to the clouds as a record of its own."""

from pathlib import Path

import pytest

from agent.daemon.buffer import Buffer
from agent.daemon.gaps import DEVICE, Gaps
from agent.sample import Value
from tests.daemon.buffer.parts import HandClock, drain, opened, put


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def heard(buffer: Buffer, clock: HandClock, gaps: Gaps, name: str = "a") -> None:
    """The destination acknowledges something, and a look follows."""
    await gaps.look()
    await put(buffer, clock, 0)
    await drain(buffer.outbox(name))
    await gaps.look()


async def told(buffer: Buffer, name: str = "a") -> list[dict[str, Value]]:
    records = await drain(buffer.outbox(name))
    return [dict(record.values) for record in records if record.device == DEVICE]


async def test_a_gap_is_told_with_reason_count_and_span(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock, ("a",)) as buffer:
        await put(buffer, clock, 1, 2, 3)
        await buffer.requeue.drop("a", waiting=True, rejected=False)
        gaps = Gaps(buffer, clock)
        await heard(buffer, clock, gaps)
        (said,) = await told(buffer)
        assert said["lost_destination"] == "a"
        assert said["lost_reason"] == "dropped_by_operator"
        assert (said["lost_readings"], said["lost_exact"]) == (3, True)
        assert str(said["lost_from"]) < str(said["lost_to"])
        await heard(buffer, clock, gaps)
        assert await told(buffer) == []


async def test_who_cannot_hear_is_not_told_and_others_are(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock, ("a", "b")) as buffer:
        await put(buffer, clock, 1)
        for name in ("a", "b"):
            await buffer.requeue.drop(name, waiting=True, rejected=False)
        gaps = Gaps(buffer, clock)
        await heard(buffer, clock, gaps)
        assert [said["lost_destination"] for said in await told(buffer)] == ["a"]
        await heard(buffer, clock, gaps, "b")
        assert [said["lost_destination"] for said in await told(buffer, "b")] == ["b"]


async def test_what_a_forgotten_destination_lost_is_told_to_the_others(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, ("old",)) as buffer:
        await put(buffer, clock, 1)
    async with opened(tmp_path, clock, ("a",)) as buffer:
        await buffer.requeue.drop("old", waiting=True, rejected=True)
        await heard(buffer, clock, Gaps(buffer, clock))
        assert [said["lost_destination"] for said in await told(buffer)] == ["old"]


async def test_a_line_that_grows_is_told_again_under_its_name(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, ("a",)) as buffer:
        await put(buffer, clock, 1)
        await buffer.requeue.drop("a", waiting=True, rejected=False)
        before = await buffer.views.untold([], 9)
        await buffer.views.told(before)
        assert await buffer.views.untold([], 9) == []
        await put(buffer, clock, 2)
        await buffer.requeue.drop("a", waiting=True, rejected=False)
        await buffer.views.told(before)  # as it was: not this
        ((key, loss),) = await buffer.views.untold([], 9)
        assert (key, loss.count.readings) == (before[0][0], 2)


async def test_what_was_told_stays_told_after_a_stop(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock, ("a",)) as buffer:
        await put(buffer, clock, 1)
        await buffer.requeue.drop("a", waiting=True, rejected=False)
        await heard(buffer, clock, Gaps(buffer, clock))
    async with opened(tmp_path, clock, ("a",)) as buffer:
        assert len(await told(buffer)) == 1
        await heard(buffer, clock, Gaps(buffer, clock))
        assert await told(buffer) == []
