"""One batch to its end: retried, bisected, set aside, never forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from agent.cloud import Batch, BatchRefused, BatchTooLarge, Limits, Receipt, Unreachable
from agent.daemon.uplink.appetite import FED, Appetite
from agent.daemon.uplink.delivery import Delivery
from agent.daemon.uplink.retry import Retry
from agent.errors import FieldpostError
from tests.daemon.twins import ListOutbox, ScriptedCloud, batch

HASTY = 0.001  # Retry-After that keeps a test short


class Waits:
    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, error: FieldpostError, pause_s: float) -> None:
        assert pause_s >= 0
        self.told.append(error.message)


def away(message: str = "no route") -> Unreachable:
    return Unreachable(message, retry_after_s=HASTY)


async def delivered(cloud: ScriptedCloud, *seqs: int) -> tuple[ListOutbox, Waits]:
    whole = batch(*seqs)
    outbox, waits = ListOutbox(whole.records), Waits()
    await Delivery(cloud, outbox.settle, Retry(waits)).deliver(whole)
    return outbox, waits


async def test_a_batch_that_was_not_answered_is_sent_again_unchanged() -> None:
    cloud = ScriptedCloud(away(), away())
    outbox, waits = await delivered(cloud, 1, 2, 3)
    assert cloud.requests == [[1, 2, 3]] * 3
    assert waits.told == ["no route"] * 2
    assert outbox.held == {}


async def test_what_an_answer_does_not_name_is_sent_again_alone() -> None:
    cloud = ScriptedCloud(Receipt(accepted=[0, 2]))
    outbox, _ = await delivered(cloud, 1, 2, 3)
    assert cloud.requests == [[1, 2, 3], [2]]
    assert outbox.held == {}


async def test_a_refused_record_is_set_aside_with_the_reason_and_blocks_nobody() -> None:
    cloud = ScriptedCloud(Receipt(accepted=[0, 2], refused={1: "value too large"}))
    outbox, _ = await delivered(cloud, 1, 2, 3)
    assert outbox.refused == {2: "value too large"}
    assert outbox.held == {}


async def test_an_answer_that_names_nothing_is_not_an_answer() -> None:
    cloud = ScriptedCloud(Receipt(), away())
    _, waits = await delivered(cloud, 1)
    assert "names none" in waits.told[0]


@pytest.mark.parametrize("refusal", [BatchRefused("bad record"), BatchTooLarge("too big")])
async def test_a_lone_record_that_is_refused_is_set_aside(refusal: BatchRefused) -> None:
    outbox, _ = await delivered(ScriptedCloud(refusal), 7)
    assert outbox.refused == {7: refusal.message}


@given(st.integers(1, 64), st.data())
async def test_poison_is_isolated_and_all_others_arrive_in_order(
    count: int, data: st.DataObject
) -> None:
    poison = data.draw(st.sets(st.integers(0, count - 1), max_size=3))

    class Judge(ScriptedCloud):
        @override
        async def send(self, batch: Batch) -> Receipt:
            if poison & {r.seq for r in batch.records}:
                self.requests.append([])
                message = "poison"
                raise BatchRefused(message)
            return await super().send(batch)

    cloud = Judge()
    outbox, _ = await delivered(cloud, *range(count))
    assert set(outbox.refused) == poison
    assert cloud.delivered == [s for s in range(count) if s not in poison]
    assert len(cloud.requests) <= 1 + 2 * len(poison) * max(1, count - 1).bit_length()


async def test_what_was_too_large_is_not_tried_again_with_each_batch() -> None:
    cloud, appetite = ScriptedCloud(BatchTooLarge("too large")), Appetite()
    for first in (1, 9, 17):
        whole = batch(*range(first, first + 8))
        delivery = Delivery(
            cloud, ListOutbox(whole.records).settle, Retry(Waits()), appetite=appetite
        )
        await delivery.deliver(whole)
    assert [len(request) for request in cloud.requests] == [8, 4, 4, 4, 4]
    assert appetite.narrowed(Limits(records=100)).records == 4


def test_after_some_answers_more_is_tried_again_and_more_seldom_where_that_was_in_vain() -> None:
    appetite, tries = Appetite(), []
    appetite.choked(64, BatchTooLarge("too large"))
    for number in range(200):
        size = appetite.narrowed(Limits(records=64)).records
        if size > 32:
            tries.append(number)
            appetite.choked(size, BatchTooLarge("too large"))
        else:
            appetite.fed()
    assert tries == [FED, 3 * FED + 1, 7 * FED + 2]


def test_a_lone_record_that_is_too_large_makes_no_other_batch_small() -> None:
    appetite = Appetite()
    for records in (64, 32, 16, 8, 4, 2, 1):
        appetite.choked(records, BatchTooLarge("too large"))
    assert appetite.narrowed(Limits(records=64)).records == 64
