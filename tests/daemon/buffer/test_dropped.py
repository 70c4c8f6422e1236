"""What is dropped to make room while its receipt arrives is counted once, whatever happens next."""

import asyncio
import os
import shutil
from pathlib import Path
from threading import Event

from agent.cloud import Limits, Receipt
from agent.daemon.buffer import Lane
from agent.daemon.buffer.database import Frame
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.reading import Found
from agent.daemon.buffer.store import Store
from tests.daemon.buffer.parts import HandClock, balanced, drain, made, opened, put

SMALL = Frame(pages=80, window_ms=1000, ballast_bytes=0, hardware=bytes(8))


async def test_a_power_cut_after_the_drop_of_what_was_just_delivered_finds_it_delivered(
    tmp_path: Path,
) -> None:
    clock, reads, may_go_on = HandClock(), Event(), Event()

    class Slow(Store):
        def oldest(self, number: int, limit: int, ordinary: bool) -> Found:  # noqa: FBT001 - as in Store
            found = super().oldest(number, limit, ordinary)
            reads.set()
            may_go_on.wait()
            return found

    home, card = tmp_path / "home", tmp_path / "card"
    async with opened(home, clock, build=Build(made, frame=SMALL, store=Slow)) as buffer:
        box = buffer.outbox("cloud")
        await put(buffer, clock, 1)
        await drain(box)
        await buffer.views.settle()  # the next receipts have time
        while buffer.facts().used_bytes < 0.9 * SMALL.pages * 4096:
            await put(buffer, clock, os.urandom(2000).hex())
        async with asyncio.TaskGroup() as group:
            group.create_task(buffer.look_after(), name="look after")
            while not reads.is_set():
                await asyncio.sleep(0.01)
            while batch := await box.take(Limits(), Lane.ANY):  # out of RAM
                await box.settle(batch, Receipt(range(len(batch.records))))
            may_go_on.set()
        delivered = buffer.facts().destinations["cloud"].delivered
        shutil.copytree(home, card)
    async with opened(card, clock) as buffer:
        await drain(buffer.outbox("cloud"))
        cloud = buffer.facts().destinations["cloud"]
        assert (cloud.delivered, cloud.lost) == (delivered, 0)
        assert balanced(buffer)
