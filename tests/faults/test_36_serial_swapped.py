"""Fault 36: an adapter comes back under another number, or two are exchanged."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.driver import ConnectionState, DeviceFault
from agent.plan import to_json
from drivers.serial_line.driver import LineDriver, open_driver
from tests.drivers.serial_line.lines import ROOM, line_plan
from tests.lab.pty import Pty
from tests.lab.sink import KeepingSink
from tests.lab.supervised import supervised, until


@pytest.mark.timeout(30)
async def test_a_line_is_found_by_its_name_whatever_number_it_has_now(tmp_path: Path) -> None:
    with Pty(tmp_path / "by-id") as line, Pty(tmp_path / "taken-in-between"):
        spec = to_json(line_plan(line.path, ROOM))
        numbers = {line.path.readlink()}
        async with supervised(lambda: open_driver(spec, {})) as (sink, told):
            await asyncio.sleep(0.1)
            line.unplug()
            await until(lambda: bool(told.said(ConnectionState.GONE)))
            with Pty(tmp_path / "another"):  # takes the number that has just become free
                line.plug()
                numbers.add(line.path.readlink())
                async with asyncio.timeout(20):
                    while not sink.samples:
                        line.send(b"T=21.5 H=48\n")
                        await asyncio.sleep(0.05)
        assert len(numbers) == 2
        assert sink.samples[0].values == {"temperature": 21.5, "humidity": 48}


async def test_two_exchanged_adapters_are_noticed_where_they_can_be_told_apart(
    tmp_path: Path,
) -> None:
    with Pty(tmp_path / "first") as first, Pty(tmp_path / "second") as second:
        system = tmp_path / "sys"
        _describe(system, first.path, "FT-ONE")
        _describe(system, second.path, "FT-TWO")
        port = tmp_path / "by-path"
        port.symlink_to(first.path.readlink())
        assert await _complaints(LineDriver(line_plan(port, ROOM), system)) == []
        port.unlink()
        port.symlink_to(second.path.readlink())
        (fault,) = await _complaints(LineDriver(line_plan(port, ROOM), system), 1)
        assert "another adapter answers" in fault.message
        assert "fieldpost scan serial" in (fault.action or "")
        assert await _complaints(LineDriver(line_plan(port, ROOM), system)) == [], "once is enough"


def _describe(system: Path, port: Path, serial: str) -> None:
    """What the kernel would say of the USB adapter behind a port."""
    usb = system / "devices" / serial
    (usb / "interface").mkdir(parents=True)
    for name, fact in {"idVendor": "0403", "idProduct": "6001", "serial": serial}.items():
        (usb / name).write_text(f"{fact}\n")
    tty = system / "class/tty" / port.resolve().name
    tty.mkdir(parents=True)
    (tty / "device").symlink_to(usb / "interface")


async def _complaints(driver: LineDriver, least: int = 0) -> list[DeviceFault]:
    """What is reported when the port is opened."""
    sink = KeepingSink()
    async with _running(driver, sink):
        await asyncio.sleep(0.1)
        await sink.complained(least)
    return [fault for _, _, fault in sink.faults]


@contextlib.asynccontextmanager
async def _running(driver: LineDriver, sink: KeepingSink) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(driver.run(sink), name="driver")
        yield
        task.cancel()
