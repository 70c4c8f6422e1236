"""Fault 19, the counts: what a damaged chunk says of itself may be wrong, the sums may not.

Nothing waits in the end, and what the ledger tells is what did not arrive.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from agent.cloud import Batch, Limits, Receipt
from agent.daemon.buffer import Buffer, Lane
from agent.daemon.buffer.ranges import Range
from agent.sample import Sample
from tests.daemon.buffer.parts import HandClock, balanced, drain, opened

CHUNKS, EACH, VALUES = 10, 10, 4
READINGS = CHUNKS * EACH * VALUES
OF_A_CHUNK = EACH * VALUES
HIT = 41  # the first number of the chunk that is damaged

LOW = "update chunk set readings = 0 where seq = ?"
HIGH = "update chunk set readings = readings + 65536 where seq = ?"
SAMPLES = "update chunk set samples = samples | 64 where seq = ?"
BODY = "update chunk set body = zeroblob(20) where seq = ?"
WORDS = "update chunk set readings = 'many' where seq = ?"


async def filled(folder: Path, clock: HandClock, settled: Sequence[Range]) -> None:
    """A store that was closed, and of which some numbers are settled."""
    async with opened(folder, clock) as buffer:
        for _ in range(CHUNKS):
            for number in range(EACH):
                values = {f"p{point}": number for point in range(VALUES)}
                await buffer.put(Sample("meter", clock.now(), values))
                clock.tick(0.1)
            await buffer.flush()
        box = buffer.outbox("cloud")
        batch = await box.take(Limits(records=1000), Lane.ANY)
        assert batch is not None
        for first, last in settled:
            some = Batch(batch.records[first - 1 : last])
            await box.settle(some, Receipt(range(len(some.records))))


def damage(folder: Path, *how: str) -> None:
    with closing(sqlite3.connect(folder / "buffer" / "buffer.db")) as db:
        for sql in how:
            db.execute(sql, (HIT,))
        db.commit()


async def delivered(buffer: Buffer) -> int:
    """Readings, one small batch after the other, as they wait."""
    records = await drain(buffer.outbox("cloud"), Limits(records=15))
    await buffer.flush()
    return sum(len(record.values) for record in records)


@pytest.mark.parametrize("how", [LOW, HIGH, SAMPLES])
async def test_a_chunk_of_which_only_a_count_is_hit_is_whole(tmp_path: Path, how: str) -> None:
    clock = HandClock()
    await filled(tmp_path, clock, [])
    damage(tmp_path, how)
    async with opened(tmp_path, clock) as buffer:
        assert await delivered(buffer) == READINGS
        facts = buffer.facts().destinations["cloud"]
    assert (facts.waiting, facts.lost) == (0, 0)


@pytest.mark.parametrize(
    "settled", [[], [(1, 40)], [(1, 12), (61, 75)]], ids=["none", "up to it", "beyond it"]
)
@pytest.mark.parametrize("how", [LOW, HIGH, WORDS])
async def test_whatever_a_damaged_chunk_says_the_ledger_has_what_is_missing(
    tmp_path: Path, how: str, settled: Sequence[Range]
) -> None:
    clock = HandClock()
    await filled(tmp_path, clock, settled)
    damage(tmp_path, how, BODY)
    before = sum(last - first + 1 for first, last in settled) * VALUES
    async with opened(tmp_path, clock) as buffer:
        assert await delivered(buffer) == READINGS - before - OF_A_CHUNK
        facts = buffer.facts().destinations["cloud"]
        assert balanced(buffer)
    assert facts.waiting == 0
    assert facts.lost == OF_A_CHUNK
    assert facts.lost_by_reason == {"corruption": OF_A_CHUNK}
