"""The driver against slaves on TCP that nobody here wrote: libmodbus and pymodbus."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from agent.driver import DeviceFault, DriverError, Measures, Quality, Reason
from drivers.modbus.driver import ModbusDriver
from tests.drivers.modbus import plant
from tests.lab.serial.slaves import slave
from tests.lab.sink import KeepingSink

METER = plant.profile(
    "a: holding 0 uint16; b: holding 3 int32 CDAB; level: holding 100 float32; i: input 5 uint16;"
    "on: coil 1; off: coil 2; d: discrete 0"
)


@pytest.fixture
def libmodbus() -> Iterator[int]:
    with slave("tcp", "127.0.0.1", "0", "7") as port:
        yield port


@asynccontextmanager
async def running(driver: ModbusDriver) -> AsyncIterator[KeepingSink]:
    sink = KeepingSink()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(driver.run(sink), name="driver")
        try:
            yield sink
        finally:
            task.cancel()


async def test_a_driver_knows_how_busy_its_wire_is_and_how_fast_its_device(libmodbus: int) -> None:
    compiled = plant.on_host(libmodbus, [plant.device("m", 7, METER)])
    driver = plant.driver(compiled)
    assert isinstance(driver, Measures)
    async with running(driver) as sink:
        await sink.until(lambda: len(sink.samples) > 3)
        found = driver.figures()
    assert 0 < found.busy < 0.9
    assert 0 < found.answers_s["m"] < 0.5
    assert sum(found.polls) >= 3
    assert found.polls_s > 0


async def test_a_libmodbus_slave_is_read(libmodbus: int) -> None:
    compiled = plant.on_host(libmodbus, [plant.device("m", 7, METER)])
    async with running(plant.driver(compiled)) as sink:
        sample = (await sink.heard())[0]
    assert plant.values(sample) == {
        "a": 7000, "b": 7004 << 16 | 7003, "level": 28.5, "i": 14005,
        "on": True, "off": False, "d": False,
    }  # fmt: skip
    assert sink.faults == []


async def test_one_read_shows_value_source_and_frames(libmodbus: int) -> None:
    driver = plant.driver(plant.on_host(libmodbus, [plant.device("m", 7, METER)]))
    (reading,) = await driver.read("m", "level")
    assert (reading.value, reading.quality) == (28.5, Quality.GOOD)
    assert reading.source == "holding 100 (40101)"
    assert (reading.raw, reading.form) == ("41E4 0000", "float32 ABCD")
    assert reading.request == "00 01 00 00 00 06 07 03 00 64 00 02"
    assert reading.answer == "00 01 00 00 00 07 07 03 04 41 E4 00 00"
    assert [r.point for r in await driver.read("m", None)] == [*METER.points]


async def test_reading_on_demand_goes_on_beside_the_schedule(libmodbus: int) -> None:
    driver = plant.driver(plant.on_host(libmodbus, [plant.device("m", 7, METER)]))
    async with running(driver) as sink:
        await sink.heard()
        assert (await driver.read("m", "a"))[0].value == 7000
        await sink.heard(3)
    assert sink.faults == []


async def test_a_refused_block_is_cut_and_only_the_missing_register_is_a_fault(
    libmodbus: int,
) -> None:
    like = plant.profile("a: holding 98 uint16; gone: holding 105 uint16; b: holding 99 uint16")
    compiled = plant.on_host(libmodbus, [plant.device("m", 7, like)])
    async with running(plant.driver(compiled)) as sink:
        await sink.heard(2)
        await sink.complained(2)
    assert plant.values(sink.samples[0]) == {"a": 7098, "b": 7099}
    assert {(device, point) for device, point, _ in sink.faults} == {("m", "gone")}
    error = sink.faults[0][2]
    assert error.reason is Reason.REFUSED
    assert error.message == "refuses to read holding 105 (40106; illegal address)"
    assert error.action == "The profile bench may not fit this model: fieldpost read m --raw"


async def test_a_refused_read_on_demand_says_so(libmodbus: int) -> None:
    like = plant.profile("gone: holding 105 uint16")
    driver = plant.driver(plant.on_host(libmodbus, [plant.device("m", 7, like)]))
    with pytest.raises(DeviceFault, match="illegal address"):
        await driver.read("m", "gone")


async def test_nobody_at_the_port_is_a_lost_connection() -> None:
    driver = plant.driver(plant.on_host(1, [plant.device("m", 7, METER)]))
    with pytest.raises(DriverError, match="is there but refuses port 1"):
        await driver.run(KeepingSink())


async def test_a_slave_that_ends_is_a_lost_connection_and_the_driver_can_run_again() -> None:
    with ExitStack() as first:
        port = first.enter_context(slave("tcp", "127.0.0.1", "0", "7"))
        driver = plant.driver(plant.on_host(port, [plant.device("m", 7, METER)]))
        sink = KeepingSink()
        async with asyncio.TaskGroup() as group:
            group.create_task(_until_lost(driver, sink), name="driver")
            await sink.heard()
            first.close()
    with slave("tcp", "127.0.0.1", str(port), "7"):
        async with running(driver) as again:
            await again.heard()


async def _until_lost(driver: ModbusDriver, sink: KeepingSink) -> None:
    with pytest.raises(DriverError):
        await driver.run(sink)
