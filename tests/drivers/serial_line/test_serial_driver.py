"""The driver on a pty: what is heard becomes samples, what is not becomes faults."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.driver import (
    ConnectionState,
    DeviceFault,
    DriverError,
    Quality,
    Reason,
    adapter,
    identity,
    not_opened,
)
from agent.errors import NotFoundError
from drivers.serial_line.driver import LineDriver, Patience
from drivers.serial_line.plan import LinePlan
from tests.drivers.serial_line.lines import ROOM, WEATHER, line_plan, nmea
from tests.drivers.serial_line.test_serial_dsmr import EXAMPLE, METER
from tests.lab.pty import Pty
from tests.lab.sink import KeepingSink

WIND = nmea("WIMWV,214.8,R,4.1,M,A")
HEAT = nmea("WIMDA,,I,1.0155,B,11.2,C,,,71.0,,6.1,C,,T,,M,8.0,N,4.1,M")
IMPATIENT = Patience(end_s=0.3, next_s=0.3)
OPENING_S = 0.05  # the driver has opened the port by then; a pty does not keep what came before


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Pty]:
    with Pty(tmp_path / "usb-lab_FT4XY12A-if00") as pty:
        yield pty


@contextlib.asynccontextmanager
async def listening(plan: LinePlan) -> AsyncIterator[tuple[KeepingSink, LineDriver]]:
    sink, driver = KeepingSink(), LineDriver(plan, patience=IMPATIENT)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(driver.run(sink), name="driver")
        await asyncio.sleep(OPENING_S)
        yield sink, driver
        task.cancel()


async def test_sentences_of_one_cycle_become_one_sample(line: Pty) -> None:
    async with listening(line_plan(line.path)) as (sink, _):
        line.send(WIND + HEAT)
        (sample,) = await sink.heard()
    assert sample.device == "weather"
    assert sample.values == {"wind_speed": 4.1, "wind_direction": 214.8, "temperature": 11.2}


async def test_a_sentence_that_repeats_begins_the_next_sample(line: Pty) -> None:
    async with listening(line_plan(line.path)) as (sink, _):
        line.send(WIND + nmea("WIMWV,90,R,5.0,M,A") + nmea("WIMWV,80,R,6.0,M,A"))
        samples = await sink.heard(3)
    assert [sample.values["wind_speed"] for sample in samples] == [4.1, 5.0, 6.0]


async def test_a_damaged_line_is_one_fault_and_the_next_line_is_read(line: Pty) -> None:
    async with listening(line_plan(line.path)) as (sink, _):
        line.send(HEAT + WIND.replace(b"4.1", b"9.1") * 50 + WIND)
        await sink.heard()
        faults = await sink.complained()
    assert [(device, point, fault.reason) for device, point, fault in faults] == [
        ("weather", None, Reason.DAMAGED)
    ]
    assert "4800 8N1" in (faults[0][2].action or "")


async def test_noise_at_a_wrong_speed_is_reported_without_flooding(line: Pty) -> None:
    async with listening(line_plan(line.path)) as (sink, _):
        for _ in range(20):
            line.send(bytes(range(128, 256)) + b"\n")
        await sink.complained()
        await asyncio.sleep(OPENING_S)
    assert len(sink.faults) == 1
    assert sink.samples == []


async def test_the_first_line_may_be_cut_off_without_blame(line: Pty) -> None:
    async with listening(line_plan(line.path)) as (sink, _):
        line.send(WIND[10:] + WIND)
        await sink.heard()
    assert sink.faults == []


async def test_other_sentences_on_the_wire_are_nobodys_fault(line: Pty) -> None:
    async with listening(line_plan(line.path)) as (sink, _):
        line.send(WIND + nmea("GPGSV,1,1,00") + nmea("WIABC,1,2") + nmea("PGRME,15.0,M") + WIND)
        await sink.heard(2)
    assert sink.faults == []


async def test_a_telegram_of_a_smart_meter_is_one_sample(line: Pty) -> None:
    async with listening(line_plan(line.path, METER)) as (sink, _):
        line.send(EXAMPLE[400:].encode() + EXAMPLE.encode())
        (sample,) = await sink.heard()
    assert sample.values["power"] == 1193
    assert sink.faults == []


async def test_two_devices_share_a_line_when_their_lines_differ(line: Pty) -> None:
    room = replace(ROOM, prefix="ROOM ")
    async with listening(line_plan(line.path, WEATHER, room)) as (sink, _):
        line.send(WIND + b"ROOM T=21.5 H=48\r\n")
        samples = await sink.heard(2)
    assert {sample.device for sample in samples} == {"weather", "room"}


async def test_an_absent_port_is_gone_and_named_like_a_person_would(tmp_path: Path) -> None:
    driver = LineDriver(line_plan(tmp_path / "nothing"))
    with pytest.raises(DriverError, match="is gone") as caught:
        await driver.run(KeepingSink())
    assert caught.value.state is ConnectionState.GONE
    assert caught.value.action is not None


async def test_a_file_that_is_no_port_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no port")
    with pytest.raises(DriverError, match="cannot be used as a serial port"):
        await LineDriver(line_plan(tmp_path / "file")).run(KeepingSink())


async def test_a_port_that_another_program_holds_is_busy(line: Pty) -> None:
    async with listening(line_plan(line.path)):
        with pytest.raises(DriverError, match="another program") as caught:
            await LineDriver(line_plan(line.path)).run(KeepingSink())
    assert caught.value.state is ConnectionState.BUSY


async def test_reading_on_demand_waits_for_what_the_device_says_next(line: Pty) -> None:
    async with listening(line_plan(line.path)) as (sink, driver), asyncio.TaskGroup() as group:
        asked = group.create_task(driver.read("weather", None), name="read")
        await asyncio.sleep(0)
        line.send(WIND)
        await sink.heard()
        readings = {reading.point: reading for reading in await asked}
    assert readings["wind_speed"].value == 4.1
    assert readings["wind_speed"].raw == "4.1"
    assert readings["wind_speed"].source == "MWV wind_speed"
    assert readings["temperature"].quality is Quality.NO_VALUE


async def test_who_looks_on_sees_every_line_and_whose_it_is(line: Pty) -> None:
    async with listening(line_plan(line.path)) as (_, driver):
        traffic = driver.traffic()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(anext(traffic), name="look on")
            await asyncio.sleep(0)
            line.send(WIND + nmea("GPGSV,1,1,00") + WIND.replace(b"4.1", b"9.1"))
        seen = [first.result(), await anext(traffic), await anext(traffic)]
        await traffic.aclose()
    assert [one.device for one in seen] == ["weather", None, "weather"]
    assert seen[0].means == WIND.decode().strip()
    assert bytes.fromhex(seen[0].said) == WIND.strip()
    assert [bool(one.fault) for one in seen] == [False, False, True]


async def test_who_is_too_slow_misses_the_oldest_and_nobody_waits(line: Pty) -> None:
    async with listening(line_plan(line.path, ROOM)) as (sink, driver):
        traffic = driver.traffic()
        async with asyncio.TaskGroup() as group:
            group.create_task(anext(traffic), name="look on")
            await asyncio.sleep(0)
            for number in range(400):
                line.send(f"T={number} H=1\n".encode())
                if number % 100 == 0:
                    await asyncio.sleep(0.01)
            await sink.heard(400)
        assert (await anext(traffic)).means > "T=100 H=1"
        await traffic.aclose()


async def test_reading_a_silent_device_ends_in_words(line: Pty) -> None:
    async with listening(line_plan(line.path)) as (_, driver):
        with pytest.raises(DeviceFault, match="nothing heard") as caught:
            await driver.read("weather", None)
    assert caught.value.reason is Reason.NOT_HEARD


async def test_reading_a_point_it_does_not_have_says_so(line: Pty) -> None:
    async with listening(line_plan(line.path)) as (_, driver):
        with pytest.raises(NotFoundError, match="no point 'rain'"):
            await driver.read("weather", "rain")


async def test_a_value_out_of_its_range_is_read_and_marked(line: Pty) -> None:
    async with listening(line_plan(line.path)) as (_, driver), asyncio.TaskGroup() as group:
        asked = group.create_task(driver.read("weather", "wind_speed"), name="read")
        await asyncio.sleep(0)
        line.send(nmea("WIMWV,214.8,R,90,M,A"))
    assert [reading.quality for reading in asked.result()] == [Quality.OUT_OF_RANGE]


async def test_half_a_line_is_given_up_when_its_end_does_not_come(line: Pty) -> None:
    async with listening(line_plan(line.path)) as (sink, _):
        line.send(WIND + WIND[:10])
        await sink.heard()
        (fault,) = [one for _, _, one in await sink.complained()]
    assert "half a line" in fault.message


def test_a_port_that_may_not_be_opened_names_the_group() -> None:
    refused = not_opened("/dev/ttyS9", PermissionError(13, "denied"))
    assert "dialout" in (refused.action or "")


async def test_reading_a_port_that_is_not_open_says_so(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="is gone"):
        await LineDriver(line_plan(tmp_path / "nothing")).read("weather", "wind_speed")


def test_an_adapter_is_called_by_its_serial_number() -> None:
    by_id = "/dev/serial/by-id/"
    assert adapter(f"{by_id}usb-FTDI_USB-RS485_Cable_FT4XY12A-if00-port0") == "FT4XY12A"
    clone = f"{by_id}usb-Prolific_USB-Serial_Controller_D-if00-port0"
    assert adapter(clone) == clone
    assert adapter("/dev/ttyAMA0") == "/dev/ttyAMA0"


def test_the_adapter_behind_a_name_is_recognised_by_what_usb_says(tmp_path: Path) -> None:
    usb = tmp_path / "devices/usb1/1-2"
    (usb / "1-2:1.0/ttyUSB0").mkdir(parents=True)
    for name, fact in {"idVendor": "0403", "idProduct": "6001", "serial": "FT4XY12A"}.items():
        (usb / name).write_text(f"{fact}\n")
    tty = tmp_path / "class/tty/ttyUSB0"
    tty.mkdir(parents=True)
    (tty / "device").symlink_to(usb / "1-2:1.0/ttyUSB0")
    assert identity("/dev/ttyUSB0", tmp_path) == "0403:6001:FT4XY12A"
    assert identity("/dev/ttyAMA0", tmp_path) is None
