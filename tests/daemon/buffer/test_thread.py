"""The store's thread: one thing after the other, in order, each answer to who asked."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from agent.daemon.buffer.thread import StoreThread


@pytest.fixture
def thread() -> Iterator[StoreThread]:
    made = StoreThread()
    yield made
    made.stop()


async def test_work_is_done_in_order_and_away_from_the_loop(thread: StoreThread) -> None:
    done: list[int] = []
    jobs = [thread.start(done.append, number) for number in range(100)]
    assert await thread.run(threading.get_ident) != threading.get_ident()
    assert done == list(range(100))
    assert all(job.done() for job in jobs)


async def test_what_work_raises_is_raised_to_who_asked_and_the_next_is_done(
    thread: StoreThread,
) -> None:
    with pytest.raises(ZeroDivisionError):
        await thread.run(divmod, 1, 0)
    assert await thread.run(divmod, 7, 2) == (3, 1)


async def test_what_is_cancelled_before_its_turn_is_not_done(thread: StoreThread) -> None:
    held, done = threading.Event(), list[str]()
    first = thread.start(held.wait)
    second = thread.start(done.append, "second")
    second.cancel()
    held.set()
    assert await first
    assert await thread.run(len, done) == 0


def test_an_answer_to_a_loop_that_has_ended_disturbs_nobody(thread: StoreThread) -> None:
    held = threading.Event()

    async def leaves() -> None:
        assert not thread.start(held.wait).done()

    asyncio.run(leaves())
    held.set()
    assert asyncio.run(thread.run(len, "four")) == 4
