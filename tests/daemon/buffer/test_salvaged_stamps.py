"""What was sent once keeps its stamp, also when its store was damaged in between."""

import sqlite3
from contextlib import closing
from pathlib import Path

from agent.cloud import Record
from tests.daemon.buffer.parts import HandClock, opened, put, take

HOUR_NS = 3_600_000_000_000


async def test_a_corrected_clock_does_not_stamp_salvaged_samples_anew(tmp_path: Path) -> None:
    clock = HandClock()
    clock.wall_ns += HOUR_NS
    async with opened(tmp_path, clock) as buffer:
        await put(buffer, clock, 1)
        sent = await take(buffer.outbox("cloud"))
        clock.wall_ns -= HOUR_NS
        await put(buffer, clock, 2)
        sent = await take(buffer.outbox("cloud"))
    with closing(sqlite3.connect(tmp_path / "buffer" / "buffer.db")) as db:
        db.execute("pragma application_id = 1")  # whole, and yet none of ours: it is set aside
    async with opened(tmp_path, clock) as buffer:
        await buffer.salvage()
        again = await take(buffer.outbox("cloud"))
    assert stamps(again) == stamps(sent)
    assert sent[0].time_ns > sent[1].time_ns


def stamps(records: list[Record]) -> list[tuple[object, int]]:
    return [(record.values["power"], record.time_ns) for record in records]
