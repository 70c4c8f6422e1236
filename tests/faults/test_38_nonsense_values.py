"""Fault 38: values that are no values, on a line of text and over the air."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.driver import Reason
from drivers.serial_line.driver import LineDriver
from tests.drivers.serial_line.lines import ROOM, line_plan
from tests.lab.pty import Pty
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
