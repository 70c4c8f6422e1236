"""Fault 17: the card stalls in the middle of a commit: polling goes on, the queue is bounded."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, TypeVar, TypeVarTuple

import pytest

from agent.daemon.buffer.commits import QUEUE_BYTES
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.orders import Done, Order
from agent.daemon.buffer.store import Store
from agent.daemon.buffer.thread import StoreThread
from agent.sample import Sample
from tests.daemon.buffer.parts import HandClock, made, opened, sample, take

T = TypeVar("T")
Args = TypeVarTuple("Args")


class StallingStore(Store):
    """A store on a card that collects garbage while a test says so."""

    answers = threading.Event()
    stalls_s: ClassVar = 10.0

    def commit(self, order: Order) -> Done:
        self.answers.wait(self.stalls_s)
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
    StallingStore.stalls_s = 10.0


async def test_put_waits_when_the_queue_is_full_and_nothing_is_lost(tmp_path: Path) -> None:
    accepted = await stalled(tmp_path, HandClock(), 100_000)
    assert QUEUE_BYTES < accepted * 100_000 < 3 * QUEUE_BYTES


class InTheLoop(StoreThread):
    """Does the store's work where everybody else has to wait for it."""

    def start(self, work: Callable[[*Args], T], *args: *Args) -> asyncio.Future[T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        try:
            future.set_result(work(*args))
        except Exception as error:  # noqa: BLE001 - hands over whatever a thread would
            future.set_exception(error)
        return future


@pytest.mark.parametrize("thread", [StoreThread, InTheLoop])
async def test_an_ordinary_put_does_not_wait_for_a_stalled_card(
    tmp_path: Path, thread: type[StoreThread]
) -> None:
    clock = HandClock()
    build = Build(made, store=StallingStore, thread=thread)
    StallingStore.stalls_s = 1.0 if thread is InTheLoop else 10.0
    async with opened(tmp_path, clock, build=build) as buffer:
        began_s = time.monotonic()
        await buffer.put(sample(clock, 1))
        await asyncio.sleep(0.05)  # the window is over: the commit hangs
        for number in range(500):
            await buffer.put(sample(clock, number))
        waited = time.monotonic() - began_s > 0.9
        StallingStore.answers.set()
    assert waited is (thread is InTheLoop)
