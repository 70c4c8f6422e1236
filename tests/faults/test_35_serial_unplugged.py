"""Fault 35: the USB-serial adapter of a line of text is pulled out, and put back."""

import asyncio
from collections.abc import Iterator, Sized
from pathlib import Path

import pytest

from agent.driver import ConnectionState
from agent.plan import to_json
from drivers.serial_line.driver import open_driver
from tests.drivers.serial_line.lines import line_plan, nmea
from tests.lab.pty import Pty
from tests.lab.supervised import Busy, supervised, until

WIND = nmea("WIMWV,214.8,R,4.1,M,A")


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Pty]:
    with Pty(tmp_path / "weather-mast") as pty:
        yield pty


async def speaks(line: Pty, heard: Sized, count: int) -> None:
    """The instrument repeats itself until it was heard so often."""
    async with asyncio.timeout(20):
        while len(heard) < count:
            line.send(WIND)
            await asyncio.sleep(0.05)


@pytest.mark.timeout(30)
async def test_the_driver_comes_back_with_the_adapter_and_does_not_burn_the_processor(
    line: Pty,
) -> None:
    spec = to_json(line_plan(line.path))
    async with supervised(lambda: open_driver(spec, {})) as (sink, told):
        await speaks(line, sink.samples, 1)
        line.unplug()
        await until(lambda: bool(told.said(ConnectionState.GONE)))
        with Busy() as busy:
            await asyncio.sleep(3)
        before = len(sink.samples)
        line.plug()
        await speaks(line, sink.samples, before + 1)
    assert busy.share <= 0.05
    assert all("is gone" in sentence for sentence in told.said(ConnectionState.GONE))
    assert {sample.values["wind_speed"] for sample in sink.samples} == {4.1}


@pytest.mark.timeout(30)
async def test_half_a_line_before_the_plug_is_not_joined_to_what_comes_after(line: Pty) -> None:
    spec = to_json(line_plan(line.path))
    async with supervised(lambda: open_driver(spec, {})) as (sink, told):
        await speaks(line, sink.samples, 1)
        line.send(WIND[:12])
        await asyncio.sleep(0.1)
        line.unplug()
        await until(lambda: bool(told.said(ConnectionState.GONE)))
        line.plug()
        await speaks(line, sink.samples, len(sink.samples) + 1)
    assert {sample.values["wind_speed"] for sample in sink.samples} == {4.1}
    assert sink.faults == []
