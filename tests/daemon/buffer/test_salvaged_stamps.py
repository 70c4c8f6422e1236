"""What was sent once keeps its stamp, also when its store was damaged in between."""

import sqlite3
from contextlib import closing
from pathlib import Path

from agent.cloud import Record
from agent.daemon.buffer.eras import Anchor, Era, Eras, Source
from agent.sample import Instant
from tests.daemon.buffer.parts import HandClock, opened, put, take

HOUR_NS = 3_600_000_000_000
WALL_NS = 1_800_000_000_000_000_000


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


def test_what_a_store_in_ram_held_gets_the_clock_of_its_boot_as_soon_as_that_is_known() -> None:
    earlier = Era(1, "earlier", 0, 0, (Anchor(0, 0, WALL_NS, Source.SYSTEM),))
    eras = Eras([earlier], running_ns=5 * HOUR_NS)
    eras.of(Instant("now", HOUR_NS, 0, trusted=False), handed=0)
    guess = (Anchor(0, 0, 0, Source.GUESS),)
    adopted = eras.adopt(Era(1, "now", -HOUR_NS, 0, guess), first=100, end=200)
    eras.of(Instant("now", 2 * HOUR_NS, WALL_NS + 9 * HOUR_NS, trusted=True), handed=200)
    anchor = eras.by_id[adopted].anchor(150, trusted_only=True)
    assert anchor is not None
    assert anchor.source is Source.SYSTEM
    assert anchor.offset_ns == WALL_NS + 7 * HOUR_NS


def stamps(records: list[Record]) -> list[tuple[object, int]]:
    return [(record.values["power"], record.time_ns) for record in records]
