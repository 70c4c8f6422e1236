"""Fault 66: no descriptors, no journal, no /tmp, a storm of log lines; the readings go on."""

import asyncio
import contextlib
import json
import os
import resource
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import structlog

from agent.daemon.socket import SPARE
from agent.logging import AT_ONCE, Limit, Output
from tests.lab.failpoints import PROGRAM
from tests.lab.notify import Listener
from tests.lab.whole import RELEASE, Whole, ending, until, whole

CROWD = 32
WATCHDOG_S = 1.0
STORM = 10_000
LINES_MAX = 200  # in a daemon's few seconds, whatever goes wrong


def command(build: str) -> tuple[str, ...]:
    return RELEASE if build == "release" else (*PROGRAM, build)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("build", ["release", "spares-nothing"])
async def test_a_crowd_at_the_door_does_not_take_the_uplinks_descriptors(
    tmp_path: Path, build: str
) -> None:
    """There is no /tmp either."""
    async with whole(tmp_path) as site:
        places = {"TMPDIR": "/proc", "SQLITE_TMPDIR": "/proc"}
        with ending(site.start(command(build), places)) as daemon:
            await site.fresh()
            few = taken(daemon) + SPARE + 3
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (few, few))
            with crowd(site):
                if build != "release":
                    await until(lambda: taken(daemon) >= few - 1)
                    return
                await site.fresh(20)
                assert taken(daemon) < few - 1
            assert "socket.accept_failed" in site.log
            assert len(site.log.splitlines()) < LINES_MAX
            assert await site.drained(daemon) == []


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("build", ["release", "calls-anew"])
async def test_with_no_descriptor_left_readings_are_kept_and_the_watchdog_is_fed(
    tmp_path: Path, build: str
) -> None:
    """A build that opens a socket each time it tells systemd something ends instead."""
    async with whole(tmp_path) as site:
        with Listener(tmp_path / "notify") as systemd:
            watched = systemd.environment(WATCHDOG_S)
            with ending(site.start(command(build), watched)) as daemon:
                await site.fresh()
                _, most = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
                resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (1, most))
                if build != "release":
                    assert await site.died(daemon) != 0
                    return
                await asyncio.sleep(WATCHDOG_S)
                systemd.forget()
                await until(lambda: systemd.fed() > 0)
                assert len(site.log.splitlines()) < LINES_MAX
                assert "was edited" not in site.log
                resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (most, most))
                assert await site.drained(daemon) == []


@contextlib.contextmanager
def crowd(site: Whole) -> Iterator[None]:
    """More programs at the daemon's door than it has descriptors; none goes away by itself."""
    with contextlib.ExitStack() as everybody:
        door = os.open(site.state, os.O_PATH)
        everybody.callback(os.close, door)
        for _ in range(CROWD):
            one = everybody.enter_context(socket.socket(socket.AF_UNIX))
            one.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                one.connect(f"/proc/self/fd/{door}/fieldpost.sock")
        yield


def taken(daemon: subprocess.Popen[bytes]) -> int:
    """How many descriptors the daemon has."""
    return sum(1 for _ in Path(f"/proc/{daemon.pid}/fd").iterdir())


@contextlib.contextmanager
def nobody_reads() -> Iterator[int]:
    """A journal that hangs: a pipe that is full."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    yield writing
    os.close(writing)
    os.close(reading)


@contextlib.contextmanager
def nobody_there() -> Iterator[int]:
    """A journal that is gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("journal", [nobody_reads, nobody_there])
@pytest.mark.parametrize("build", ["release", "writes-hard"])
async def test_a_journal_that_hangs_or_is_gone_costs_lines_only(
    tmp_path: Path, build: str, journal: type[contextlib.AbstractContextManager[int]]
) -> None:
    async with whole(tmp_path) as site:
        with journal() as stderr, ending(site.start(command(build), stderr=stderr)) as daemon:
            if build == "release":
                assert await site.drained(daemon) == []
            else:
                with pytest.raises(TimeoutError):
                    await site.fresh(1, 4)


def test_a_storm_of_one_event_is_a_few_lines_and_a_count() -> None:
    reading, writing = os.pipe()
    limit = Limit(Output(writing))
    passed = [event for event in storm(limit) if event]
    assert len(passed) == AT_ONCE
    other = limit(None, "", {"event": "x", "event_type": "another.one"})
    assert "left_out" not in other
    os.close(reading)
    os.close(writing)


def storm(limit: Limit) -> Iterator[Mapping[str, object]]:
    for _ in range(STORM):
        with contextlib.suppress(structlog.DropEvent):
            yield limit(None, "", {"event": "it failed", "event_type": "driver.crashed"})


def test_what_the_journal_did_not_take_is_counted_in_the_next_line() -> None:
    reading, writing = os.pipe()
    output = Output(writing)
    limit = Limit(output)
    filler = json.dumps({"message": "x" * 3000}).encode() + b"\n"
    while not output.unsaid:
        output.write(filler)
    os.read(reading, 1 << 20)
    event = limit(None, "", {"event": "there again", "event_type": "daemon.started"})
    assert event["unsaid"] == 1
    output.write(b"whole\n")
    assert os.read(reading, 1 << 20).splitlines()[-1] == b"whole"
    os.close(reading)
    os.close(writing)
