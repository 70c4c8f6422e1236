"""Fault 17: the card stalls in the middle of a commit: polling goes on, the queue is bounded."""

import asyncio
import threading
from pathlib import Path

import pytest

from agent.daemon.buffer.commits import QUEUE_BYTES
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.orders import Done, Order
from agent.daemon.buffer.store import Store
from agent.sample import Sample
from tests.daemon.buffer.parts import HandClock, made, opened, sample, take


class StallingStore(Store):
    """A store on a card that collects garbage while a test says so."""

    answers = threading.Event()

    def commit(self, order: Order) -> Done:
        self.answers.wait(10)
        return super().commit(order)


async def stalled(tmp_path: Path, clock: HandClock, bytes_each: int) -> int:
    """Put for as long as it is accepted while the card does not answer."""
    accepted = 0
    async with opened(tmp_path, clock, build=Build(made, store=StallingStore)) as buffer:
        try:
            async with asyncio.timeout(0.5):
                while accepted * bytes_each < 100 * QUEUE_BYTES:
                    text = "x" * bytes_each
                    await buffer.put(Sample("meter", clock.now(), {"text": text}))
                    accepted += 1
                    clock.tick(1)
                    await asyncio.sleep(0)
        except TimeoutError:
            pass
        assert buffer.facts().uncommitted_age_s > 1
        StallingStore.answers.set()
        await buffer.put(sample(clock, "after"))
        await buffer.flush()
        await buffer.flush()
        assert buffer.facts().uncommitted_age_s == 0
        assert len(await take(buffer.outbox("cloud"))) == min(accepted + 1, 1000)
    return accepted


@pytest.fixture(autouse=True)
def stalling() -> None:
    StallingStore.answers.clear()


async def test_put_waits_when_the_queue_is_full_and_nothing_is_lost(tmp_path: Path) -> None:
    accepted = await stalled(tmp_path, HandClock(), 100_000)
    assert QUEUE_BYTES < accepted * 100_000 < 3 * QUEUE_BYTES


async def test_an_ordinary_put_does_not_wait_for_a_stalled_card(tmp_path: Path) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock, build=Build(made, store=StallingStore)) as buffer:
        await buffer.put(sample(clock, 1))
        await asyncio.sleep(0.05)  # the window is over: the commit hangs
        async with asyncio.timeout(0.5):
            for number in range(500):
                await buffer.put(sample(clock, number))
        StallingStore.answers.set()
