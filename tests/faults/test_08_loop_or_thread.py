"""Fault 8: the loop is blocked, or the store's thread is gone while the loop lives."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import pytest

from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.thread import StoreThread
from agent.sample import Sample
from tests.daemon.buffer.parts import HandClock, made, opened
from tests.lab.failpoints import PROGRAM, VARIABLE
from tests.lab.notify import Listener
from tests.lab.whole import Whole, ending, until, whole

T = TypeVar("T")
Args = TypeVarTuple("Args")

WATCHDOG_S = 1.0
GOES_ON_S = 5.0  # a store that is stuck is noticed after one second here, and ended after two more


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_whatever_stops_moving_ends_the_process_and_costs_nothing_that_was_committed(
    tmp_path: Path,
) -> None:
    async with whole(tmp_path) as site:
        await a_blocked_loop_no_longer_feeds_the_watchdog(site)
        await a_dead_thread_is_noticed_although_the_loop_lives(site)
        await a_bug_in_the_thread_ends_the_process(site)
        assert await judged(site) == []


class Hanging(StoreThread):
    """Does nothing until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()
        self.may.set()

    def start(self, work: Callable[[*Args], T], *args: *Args) -> asyncio.Future[T]:
        def patient(*given: *Args) -> T:
            self.may.wait()
            return work(*given)

        return super().start(patient, *args)


async def test_what_waits_behind_a_transaction_without_samples_grows_old_too(
    tmp_path: Path,
) -> None:
    clock, thread = HandClock(), Hanging()
    async with opened(tmp_path, clock, build=Build(made, thread=lambda: thread)) as buffer:
        thread.may.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(buffer.flush(), name="receipts only")
            await asyncio.sleep(0)
            await buffer.put(Sample("meter", clock.now(), {"level": 1.0}))
            clock.tick(70)
            age_s = buffer.facts().uncommitted_age_s
            thread.may.set()
    assert age_s == 70


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_a_watchdog_that_is_fed_by_a_timer_never_notices_a_dead_thread(
    tmp_path: Path,
) -> None:
    async with whole(tmp_path) as site:
        with ending(site.start((*PROGRAM, "feeds-blindly"), {VARIABLE: "thread-die:12"})) as daemon:
            await until(lambda: "reached thread-die" in site.log)
            with pytest.raises(TimeoutError):
                await site.died(daemon, GOES_ON_S)


async def a_blocked_loop_no_longer_feeds_the_watchdog(site: Whole) -> None:
    with Listener(site.state.parent / "notify") as systemd:
        watched = {VARIABLE: "loop-block:20", **systemd.environment(WATCHDOG_S)}
        with ending(site.start(PROGRAM, watched)) as daemon:
            await until(lambda: systemd.fed() > 0)
            await until(lambda: "reached loop-block" in site.log)
            stuck_s = time.monotonic()
            systemd.forget()
            await asyncio.sleep(1.5 * WATCHDOG_S)
            assert systemd.fed() == 0
            daemon.send_signal(signal.SIGABRT)  # as systemd does
            assert await site.died(daemon, stuck_s=stuck_s) == -signal.SIGABRT
    assert "in hang" in site.log


async def a_dead_thread_is_noticed_although_the_loop_lives(site: Whole) -> None:
    with ending(site.start(PROGRAM, {VARIABLE: "thread-die:12"})) as daemon:
        await until(lambda: "reached thread-die" in site.log)
        stuck_s = time.monotonic()
        await site.until(lambda told: "FP-H06" in str(told))
        assert await site.died(daemon, stuck_s=stuck_s) == 1
    assert "nothing was committed for" in site.log


async def a_bug_in_the_thread_ends_the_process(site: Whole) -> None:
    with ending(site.start(PROGRAM, {VARIABLE: "thread-raise:12"})) as daemon:
        assert await site.died(daemon) == 1
    assert "a failpoint" in site.log


async def judged(site: Whole) -> list[str]:
    with ending(site.start()) as daemon:
        return await site.drained(daemon)
