"""Finding things: who is on a line, what registers mean, what is said. Peers are libmodbus."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from agent.driver import Discovers, Reads, Writes
from drivers.modbus.bus import Bus
from drivers.modbus.plan import Line, SerialPort, Table, Unit
from drivers.modbus.probe import probe
from drivers.modbus.scan import Fingerprint, Present, Scan, scan_port
from tests.drivers.modbus import plant
from tests.lab.serial.rs485bus import Rs485Bus
from tests.lab.serial.slaves import on_line
from tests.lab.sink import KeepingSink

if TYPE_CHECKING:
    from drivers.modbus.tap import Overheard

BAUD = 19200


@pytest.fixture
def bus() -> Iterator[Rs485Bus]:
    with Rs485Bus("master", "s2=2", "s5=5", baud=BAUD) as line, ExitStack() as slaves:
        for unit in (2, 5):
            slaves.enter_context(on_line(line.port(f"s{unit}"), unit, BAUD))
        yield line


def line(bus: Rs485Bus) -> Line:
    place = SerialPort(bus.port("master"), BAUD, 8, "N", 1, f"{BAUD} 8N1")
    return Line("rs485", "rtu", 0.0, (), serial=place)


async def test_everybody_on_the_line_is_found_and_known_models_are_named(bus: Rs485Bus) -> None:
    seen: dict[int, Present | None] = {}
    marks = [
        Fingerprint("other-model", Table.HOLDING, 0, 1, "77"),
        Fingerprint("bench-five", Table.HOLDING, 7, 1, "5007"),
    ]
    async with Bus(line(bus)) as open_:
        await Scan(open_, "19200 8N1", marks).look(range(1, 7), seen.__setitem__)
    assert [a for a, who in seen.items() if who] == [2, 5]
    two, five = seen[2], seen[5]
    assert two is not None
    assert five is not None
    assert (two.profile, five.profile, five.sure) == (None, "bench-five", True)
    assert five.says == "input 0..1 = 2710 2711"


async def test_a_scan_tries_line_settings_one_after_the_other(bus: Rs485Bus) -> None:
    seen: list[tuple[int, str]] = []
    port = bus.port("master")
    places = [SerialPort(port, b, 8, "N", 1, f"{b} 8N1") for b in (9600, BAUD)]
    await scan_port(places, [5], [], lambda a, who: seen.append((a, who.line if who else "")))
    assert seen[-1] == (5, f"{BAUD} 8N1")  # a pty hears any speed; a wire only one


async def test_a_running_driver_tells_who_is_there_and_goes_on_reading(bus: Rs485Bus) -> None:
    like = plant.profile("a: holding 0 uint16")
    compiled = plant.on_line(bus.port("master"), [plant.device("m", 2, like, every="200ms")])
    driver, sink = plant.driver(compiled), KeepingSink()
    assert isinstance(driver, Discovers | Reads | Writes)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(driver.run(sink), name="driver")
        await sink.heard()
        found = await driver.discover(3.0)
        await sink.heard(len(sink.samples) + 2)
        task.cancel()
    assert [(one.address, one.device) for one in found] == [("2", "m"), ("5", None)]
    assert found[1].says == "input 0..1 = 2710 2711"
    assert len(sink.samples) > 5


async def test_a_probe_finds_type_order_and_scale(bus: Rs485Bus) -> None:
    async with Bus(line(bus)) as open_:
        unit = Unit("", 5, "", 0.2, 0.0, ())
        (best, *_) = await probe(open_, unit, Table.HOLDING, 101, 26.5)
    assert best.written == "{read: holding 100, as: float32}"


async def test_what_is_said_on_the_wire_is_told_in_words(bus: Rs485Bus) -> None:
    like = plant.profile("a: holding 0 uint16; gone: input 200 uint16")
    driver = plant.driver(plant.on_line(bus.port("master"), [plant.device("m", 2, like)]))
    heard: list[Overheard] = []
    end = driver.overhear(heard.append)
    await driver.read("m", "a")
    end()
    await driver.read("m", "a")
    asked, answered = heard
    assert (asked.sent, asked.says) == (True, "2 <- read holding 0, 1 register")
    assert answered.says.startswith("2 -> 07D0 (")
    assert answered.data.hex(" ") == "02 03 02 07 d0 ff e8"
