"""SunSpec models are found wherever a maker keeps them. The peer is a pymodbus server."""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from agent import plan
from agent.driver import DeviceFault, Reason
from agent.prepare.profiles import Shelf
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.plan import Line
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.station import Found, Station
from tests.drivers.modbus import plant
from tests.lab.mosquitto import free_port
from tests.lab.sink import KeepingSink

MARKER = [0x5375, 0x6E53]
END = [0xFFFF, 0]
Chain = Sequence[tuple[int, Sequence[int]]]  # number and points of each model


def inverter(power: int) -> list[int]:
    points = [0x8000] * 50
    points[12], points[13] = power, 0  # W and its scale factor, behind the header
    return points


def inverter_float(power: float) -> list[int]:
    points = [0x7FC0, 0] * 30
    points[20:22] = struct.unpack(">2H", struct.pack(">f", power))
    return points


@asynccontextmanager
async def device(base: int, chain: Chain) -> AsyncIterator[int]:
    registers = list(MARKER)
    for number, points in chain:
        registers += [number, len(points), *points]
    data = SimData(base, values=registers + END, datatype=DataType.REGISTERS)
    port = free_port()
    server = ModbusTcpServer([SimDevice(1, [data])], address=("127.0.0.1", port))
    await server.listen()
    try:
        yield port
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus has no types here


def driver(port: int, name: str = "sunspec-inverter") -> ModbusDriver:
    found = Shelf(plant.PROFILES.parent).load(name)
    assert found is not None
    like = ModbusProfile.model_validate(found.tree)
    return plant.driver(plant.on_host(port, [plant.device("inverter", 1, like)]))


COMMON_66, COMMON_65 = (1, [0] * 66), (1, [0] * 65)


@pytest.mark.parametrize(
    ("base", "chain"),
    [
        (40000, [COMMON_66, (103, inverter(2345))]),
        (40000, [COMMON_65, (101, inverter(2345))]),
        (50000, [COMMON_66, (120, [0] * 26), (102, inverter(2345))]),
        (0, [COMMON_66, (160, [0] * 48), (103, inverter(2345)), (103, inverter(1))]),
    ],
    ids=["where-the-profile-says", "a-shorter-common-model", "behind-another-at-50000", "at-0"],
)
async def test_one_profile_fits_every_place(base: int, chain: Chain) -> None:
    async with device(base, chain) as port:
        (reading,) = await driver(port).read("inverter", "power")
    first = next(place for place, (number, _) in enumerate(chain) if number in range(101, 104))
    before = sum(2 + len(points) for _, points in chain[:first])
    assert reading.value == 2345
    assert reading.source.startswith(f"holding {base + 2 + before + 14} ")


async def test_the_schedule_reads_them_where_they_were_found() -> None:
    sink = KeepingSink()
    async with (
        device(50000, [COMMON_65, (113, inverter_float(3210.5))]) as port,
        asyncio.TaskGroup() as group,
    ):
        like = driver(port)
        task = group.create_task(like.run(sink), name="driver")
        await sink.heard()
        task.cancel()
    assert sink.samples[0].values == {"power": 3210.5, "state": "32704"}
    assert sink.faults == []


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (40000, "has no SunSpec model 101 to 103 or 111 to 113; it has 1, 203"),
        (100, "does not speak SunSpec: no marker at holding 40000, 50000, 0"),
    ],
)
async def test_a_device_of_another_kind_is_told_with_what_it_has(base: int, message: str) -> None:
    async with device(base, [COMMON_66, (203, [0] * 105)]) as port:
        with pytest.raises(DeviceFault) as caught:
            await driver(port).read("inverter", None)
    assert caught.value.reason is Reason.UNREADABLE
    assert caught.value.message == message


@pytest.mark.parametrize("strings", [1, 2, 4])
async def test_a_device_tells_as_many_strings_as_it_has(strings: int) -> None:
    mppt = [0xFFFF, 0xFFFF, 0, 0, 0, 0, strings, 0]  # scale factors 0.1 A, 0.1 V, 1 W, 1 Wh
    for number in range(1, strings + 1):
        mppt += [number, *([0] * 8), 80 + number, 6000 + number, 4800 + number, 1, number]
        mppt += [0] * 6
    chain = [COMMON_66, (103, inverter(2345)), (160, mppt), (123, [7] * 24)]
    async with device(40000, chain) as port:
        values = {r.point: r.value for r in await driver(port).read("inverter", None)}
    there = {point for point in values if point.startswith("string")}
    names = ("current", "voltage", "power", "energy")
    assert there == {f"string{n}_{name}" for n in range(1, strings + 1) for name in names}
    assert values["power"] == 2345
    last = [values[f"string{strings}_{name}"] for name in names]
    assert last == [8 + strings / 10, 600 + strings / 10, 4800 + strings, 65536 + strings]


async def test_the_strings_of_an_inverter_in_floats_are_told_too() -> None:
    mppt = [0, 0, 0, 0, 0, 0, 1, 0, 1, *([0] * 8), 8, 600, 4800, 0, 5, *([0] * 6)]
    chain = [COMMON_66, (111, inverter_float(4700.5)), (160, mppt)]
    async with device(0, chain) as port:
        values = {r.point: r.value for r in await driver(port).read("inverter", None)}
    assert (values["power"], values["string1_voltage"]) == (4700.5, 600)


@pytest.mark.parametrize("number", [211, 212, 213, 214])
async def test_a_meter_in_floats_is_read_by_the_profile_of_meters(number: int) -> None:
    points = [0x7FC0, 0] * 62
    points[26:28] = struct.unpack(">2H", struct.pack(">f", -2345.5))  # W, behind the header
    async with device(50000, [COMMON_65, (number, points)]) as port:
        (reading,) = await driver(port, "sunspec-meter").read("inverter", "power")
    assert reading.value == -2345.5
    assert reading.source.startswith("holding 50097 ")


def test_models_that_moved_again_are_read_where_they_are_now() -> None:
    like = plant.profile("a: holding 12 uint16; b: input 12 uint16", models="5 at 10")
    spec = plant.on_host(1502, [plant.device("m", 1, like)]).spec
    station = Station(plan.from_json(Line, spec).units[0])
    (model,) = station.unit.models
    places = []
    for at in (100, 200):
        station.relocate(station.planned, {model: Found(at, 50)})
        places.append({point: field.at for point, field in station.fields().items()})
    assert places == [{"a": 102, "b": 12}, {"a": 202, "b": 12}]


@pytest.mark.parametrize("written", ["103", "103 at", "at 40070", "103 at 70000", "a-b at 5"])
def test_a_place_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a SunSpec model and its place"):
        plant.profile("a: holding 0 uint16", models=written)


def test_other_models_with_points_of_their_own_are_refused() -> None:
    other = {"models": "6 at 10", "points": plant.points("b: holding 12 uint16")}
    with pytest.raises(ValueError, match="'b' stands below  instead:  alone"):
        plant.profile("a: holding 12 uint16", models="5 at 10", instead=other)


def test_points_of_two_models_are_never_read_with_one_request() -> None:
    like = plant.profile("a: holding 80 uint16; b: holding 81 uint16", models="5 at 10, 6 at 81")
    unit = plant.on_host(1502, [plant.device("m", 1, like)]).spec["units"][0]
    assert [block["start"] for block in unit["rounds"][0]["blocks"]] == [80, 81]
