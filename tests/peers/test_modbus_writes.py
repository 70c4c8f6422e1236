"""Writing points: only marked ones, in their range, once, read back. Peers are libmodbus slaves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from agent.driver import DeviceFault, Value
from agent.errors import BusyError, FieldpostError, NotWritableError, ValidationError
from drivers.modbus.driver import ModbusDriver
from tests.drivers.modbus import plant
from tests.lab.serial.slaves import slave
from tests.lab.sink import KeepingSink

VALVE = plant.profile(
    "setpoint: holding 10 int16 scale=0.1 min=5 max=30 write=true;"
    "big: holding 20 float32 CDAB write=true; mode: holding 30 uint16 write=true;"
    "pump: coil 4 write=true; fan: holding 31 bit(2) write=true; speed: holding 31 bits(8-11)"
    " write=true; sensor: input 3 uint16 write=true; fixed: holding 40 uint16",
)


class Ear:
    """Stands between the driver and a slave, and keeps what the driver says."""

    def __init__(self, port: int) -> None:
        self.asked: list[str] = []
        self.lies: dict[int, bytes] = {}  # function code → what is said to it instead of the slave
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, ahead]
        while request := await reader.read(300):
            self.asked.append(request[7:].hex(" ").upper())
            if (lie := self.lies.get(request[7])) is not None:
                said = lie or request[7:12]
                writer.write(request[:4] + (len(said) + 1).to_bytes(2) + request[6:7] + said)
                continue
            ahead.write(request)
            writer.write(await behind.read(300))
        ahead.close()

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@pytest.fixture
async def ear() -> AsyncIterator[tuple[Ear, int]]:
    with slave("tcp", "127.0.0.1", "0", "7") as port:
        ear = Ear(port)
        async with await asyncio.start_server(ear, "127.0.0.1", 0) as server:
            yield ear, server.sockets[0].getsockname()[1]
            await ear.close()


@pytest.fixture
def driver(ear: tuple[Ear, int]) -> ModbusDriver:
    return plant.driver(plant.on_host(ear[1], [plant.device("valve", 7, VALVE)]))


@pytest.mark.parametrize(
    ("point", "value", "expected"),
    [
        ("setpoint", 21.5, (21.5, "06 00 0A 00 D7")),
        ("setpoint", "7", (7.0, "06 00 0A 00 46")),
        ("big", 2104.3, (2104.3, "10 00 14 00 02 04 84 CD 45 03")),
        ("pump", "on", (True, "05 00 04 FF 00")),
        ("pump", False, (False, "05 00 04 00 00")),
        ("fan", "yes", (True, "16 00 1F FF FB 00 04")),
        ("speed", 9, (9, "16 00 1F F0 FF 09 00")),
    ],
)
async def test_a_marked_point_is_written_once_and_read_back(
    driver: ModbusDriver,
    ear: tuple[Ear, int],
    point: str,
    value: Value,
    expected: tuple[Value, str],
) -> None:
    reading = await driver.write("valve", point, value)
    assert (reading.value, ear[0].asked[0]) == expected
    assert len(ear[0].asked) == 2


@pytest.mark.parametrize(
    ("point", "value", "error"),
    [
        ("setpoint", 31, ValidationError),
        ("setpoint", 4.9, ValidationError),
        ("setpoint", 20.05, ValidationError),
        ("setpoint", "warm", ValidationError),
        ("mode", -1, ValidationError),
        ("mode", 65536, ValidationError),
        ("pump", "maybe", ValidationError),
        ("speed", 16, ValidationError),
        ("fixed", 1, NotWritableError),
        ("sensor", 1, NotWritableError),
        ("nothing", 1, NotWritableError),
    ],
)
async def test_what_may_not_be_written_never_reaches_the_wire(
    driver: ModbusDriver, ear: tuple[Ear, int], point: str, value: Value, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await driver.write("valve", point, value)
    assert ear[0].asked == []


@pytest.mark.parametrize(
    ("point", "value", "told"),
    [
        ("setpoint", 20.05, "setpoint: the device holds steps of 0.1; nothing was written"),
        ("mode", 65536, "mode: more than its registers hold; nothing was written"),
    ],
)
async def test_a_value_that_does_not_fit_says_what_would(
    driver: ModbusDriver, point: str, value: float, told: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        await driver.write("valve", point, value)
    assert caught.value.message == told


async def test_a_text_of_the_profile_can_be_written() -> None:
    points = plant.points("mode: holding 30 uint16 write=true")
    points["mode"]["values"] = {"0": "off", "2": "auto"}  # type: ignore[assignment]  # a block
    like = plant.profile("", points=points)
    with slave("tcp", "127.0.0.1", "0", "7") as port:
        driver = plant.driver(plant.on_host(port, [plant.device("valve", 7, like)]))
        assert (await driver.write("valve", "mode", "auto")).value == "auto"


async def test_a_refused_write_is_no_missing_answer_and_says_why() -> None:
    like = plant.profile("far: holding 500 uint16 write=true")
    with slave("tcp", "127.0.0.1", "0", "7") as port:
        driver = plant.driver(plant.on_host(port, [plant.device("valve", 7, like)]))
        told = r"valve: refuses to write holding 500 .40501; exception 2, illegal address"
        with pytest.raises(NotWritableError, match=told):
            await driver.write("valve", "far", 1)


@pytest.mark.parametrize(
    ("exception", "error"),
    [
        (1, NotWritableError),
        (3, ValidationError),
        (4, NotWritableError),
        (6, BusyError),
        (7, NotWritableError),
        (11, DeviceFault),
    ],
)
async def test_each_refusal_is_the_error_it_is(
    driver: ModbusDriver, ear: tuple[Ear, int], exception: int, error: type[FieldpostError]
) -> None:
    ear[0].lies[6] = bytes([0x86, exception])
    with pytest.raises(error, match=f"exception {exception}, ") as caught:
        await driver.write("valve", "mode", 2)
    assert type(caught.value) is error
    assert ear[0].asked == ["06 00 1E 00 02"]


async def test_a_device_that_says_yes_and_keeps_its_value_does_not_take_it(
    driver: ModbusDriver, ear: tuple[Ear, int]
) -> None:
    ear[0].lies[6] = b""
    told = "valve: was told mode = 2 and said yes, but shows 7030 when it is read back"
    with pytest.raises(NotWritableError, match=told):
        await driver.write("valve", "mode", 2)


async def test_who_needs_more_time_is_looked_at_before_anything_is_said(
    driver: ModbusDriver, ear: tuple[Ear, int]
) -> None:
    ear[0].lies[6] = b"\x86\x05"
    with pytest.raises(DeviceFault, match="it said that it needs more time, and shows 7030"):
        await driver.write("valve", "mode", 2)
    assert (await driver.write("valve", "mode", 7030)).value == 7030


async def test_what_cannot_be_read_back_is_not_said_to_be_written_or_not(
    driver: ModbusDriver, ear: tuple[Ear, int]
) -> None:
    ear[0].lies[3] = b"\x83\x02"
    told = "was told mode = 2, said yes, and reading it back: refuses to read holding 30"
    with pytest.raises(DeviceFault, match=told):
        await driver.write("valve", "mode", 2)


async def test_writing_goes_on_beside_the_schedule(driver: ModbusDriver) -> None:
    sink = KeepingSink()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(driver.run(sink), name="driver")
        await sink.heard()
        await driver.write("valve", "setpoint", 12)
        await sink.until(lambda: sink.samples[-1].values["setpoint"] == 12)
        task.cancel()
    assert sink.faults == []
