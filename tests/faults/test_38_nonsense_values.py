"""Fault 38: values that are no values: on a line of text, at the border, and in what is sent."""

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.driver import Reason, Sample
from drivers.serial_line.driver import LineDriver
from tests.daemon.test_intake import Border
from tests.drivers.serial_line.lines import ROOM, line_plan
from tests.faults.clouds import http
from tests.faults.road import DEADLINE_S, Archive, road
from tests.lab.hurry import hurried
from tests.lab.pty import Pty
from tests.lab.scripted import Scripted
from tests.lab.sink import KeepingSink


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Pty]:
    with Pty(tmp_path / "room") as pty:
        yield pty


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("nan", Reason.NOT_A_NUMBER),
        ("-Inf", Reason.NOT_A_NUMBER),
        ("1e999", Reason.NOT_A_NUMBER),
        ("ERR", Reason.UNREADABLE),
        ("0x41", Reason.UNREADABLE),
        ("9" * 400, Reason.NOT_A_NUMBER),
        ("٣", Reason.UNREADABLE),  # a digit, for Python's own idea of digits
    ],
)
async def test_a_value_that_is_none_costs_only_its_own_point(
    line: Pty, written: str, reason: Reason
) -> None:
    sink = KeepingSink()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(LineDriver(line_plan(line.path, ROOM)).run(sink), name="driver")
        await asyncio.sleep(0.05)
        line.send(f"T={written} H=48\r\n".encode())
        (sample,) = await sink.heard()
        task.cancel()
    assert sample.values == {"humidity": 48}
    ((device, point, fault),) = sink.faults
    assert (device, point, fault.reason) == ("room", "temperature", reason)
    assert len(fault.message) < 120


async def test_a_flood_of_lines_is_read_line_by_line(line: Pty) -> None:
    sink = KeepingSink()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(LineDriver(line_plan(line.path, ROOM)).run(sink), name="driver")
        await asyncio.sleep(0.05)
        for number in range(1000):
            line.send(f"T={number} H=48\r\n".encode())
            if number % 50 == 0:
                await asyncio.sleep(0)
        await sink.heard(1000)
        task.cancel()
    assert [sample.values["temperature"] for sample in sink.samples] == list(range(1000))


NONSENSE: dict[str, Any] = {
    "not a number": math.nan,
    "infinity": -math.inf,
    "too large for a store": 2**64,
    "a huge text": "x" * 100_000,
    "no Unicode": "\ud800",
    "bytes": b"\x00\xff",
    "a list": [1, 2],
    "nothing": None,
}


async def sent(value: Any, *, border: bool) -> list[str]:
    """What is wrong with what a server was sent of a sample with one such value."""
    archive, gate = Archive(), Border()
    async with (
        Scripted(archive) as server,
        http(server.url, deadline_s=DEADLINE_S) as cloud,
        road(cloud, archive) as way,
    ):
        sample = Sample("cold-room", way.clock.now(), {"n": 1, "nonsense": value})
        if border:
            await gate.intake.put(sample)
            sample = gate.kept[-1]
        way.put_count = 1
        await way.buffer.put(sample)
        await way.buffer.flush()
        await way.through()
        found = await way.judge()
        arrived = list(archive.held.values())
    return found if arrived == [{"n": 1}] else [*found, f"I2: {str(arrived)[:80]} arrived"]


@pytest.mark.parametrize("value", NONSENSE)
def test_the_other_values_of_a_sample_arrive_and_what_is_sent_stays_json(value: str) -> None:
    assert hurried(sent(NONSENSE[value], border=True)) == []


@pytest.mark.parametrize("value", ["not a number", "infinity", "a huge text"])
def test_without_the_border_nonsense_is_sent(value: str) -> None:
    assert hurried(sent(NONSENSE[value], border=False)) != []
