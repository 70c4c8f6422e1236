"""What devices say of themselves: pymodbus servers with an identification or SunSpec models."""

import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymodbus import FramerType, ModbusDeviceIdentification
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from agent.cli.trial import Trials
from agent.cli.wire import Wire
from agent.driver import Mark, Place, Search, Sighting
from agent.plan import Connection
from drivers.modbus.compile import marks
from drivers.modbus.finder import ModbusFinder
from drivers.modbus.plan import Table
from drivers.modbus.requests import read_request
from drivers.modbus.settings import TCP as TCP_KIND
from tests.drivers.modbus import plant
from tests.drivers.profiles import load

TCP = FramerType.SOCKET
MAKER = {"VendorName": "Schneider Electric", "ProductCode": "iEM3155", "MajorMinorRevision": "1.2"}


def words(text: str, size: int) -> list[int]:
    return [*struct.unpack(f">{size}H", text.encode().ljust(2 * size, b"\0"))]


def sunspec(model: int = 113) -> SimDevice:
    common = [1, 66, *words("Fronius", 16), *words("Symo 8.2-3-M", 16), *words("", 8)]
    common += [*words("0.3.22", 8), *words("29100007", 16), 1, 0]
    values = [*words("SunS", 2), *common, model, 50, *([0] * 50), 160, 4, *([0] * 4), 0xFFFF, 0]
    return SimDevice(1, simdata=[SimData(40000, values=values, datatype=DataType.REGISTERS)])


def plain() -> SimDevice:
    values = [0x4366, 0x8000, *range(8)]
    return SimDevice(1, simdata=[SimData(0, values=values, datatype=DataType.REGISTERS)])


@asynccontextmanager
async def serving(
    device: SimDevice,
    maker: Mapping[str, str] | None = None,
    framer: FramerType = FramerType.SOCKET,
) -> AsyncIterator[int]:
    identity = ModbusDeviceIdentification(  # type: ignore[no-untyped-call]  # pymodbus: no types
        info_name=dict(maker or {})
    )
    server = ModbusTcpServer(device, framer=framer, address=("127.0.0.1", 0), identity=identity)
    await server.serve_forever(background=True)
    transport: Any = server.transport
    try:
        yield transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus has no type here


async def seen(port: int, known: list[Mark], framing: str = "tcp") -> list[Sighting]:
    driver = plant.driver(plant.on_host(port, [], framing=framing))
    search = Search([""], [1, 2], lambda: known, 0.3)
    async with driver.asking() as asker, aclosing(ModbusFinder().scan(asker, search)) as steps:
        return [s.found async for s in steps if s.found and not s.found.refuses]


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
async def test_a_device_that_identifies_itself_is_named_and_its_profile_guessed(
    framing: str,
) -> None:
    known = [Mark(name, read_request(1, Table.HOLDING, 900, 2).pdu) for name in
             ("eastron-sdm120", "schneider-iem3155")]  # fmt: skip
    framer = TCP if framing == "tcp" else FramerType.RTU
    async with serving(plain(), MAKER, framer) as port:
        (found,) = await seen(port, known, framing)
    assert found.name == "Schneider Electric iEM3155 1.2"
    assert (found.profiles, found.sure) == (["schneider-iem3155"], False)


async def test_a_sunspec_device_tells_its_models_and_the_closest_profile_wins() -> None:
    known = [*marks(load(name)[1] for name in ("sunspec-inverter", "fronius-symo", "solaredge-se"))]
    async with serving(sunspec()) as port:
        (found,) = await seen(port, known)
    assert found.name == "Fronius Symo 8.2-3-M 0.3.22"
    assert found.says == "SunSpec, models 1, 113, 160"
    assert (list(found.profiles), found.sure) == (["fronius-symo", "sunspec-inverter"], True)


@pytest.mark.parametrize(
    ("model", "profile"), [(103, "sunspec-inverter"), (203, "sunspec-meter"), (113, "fronius-symo")]
)
async def test_a_profile_of_sunspec_models_that_the_device_lacks_is_not_named(
    model: int, profile: str
) -> None:
    names = ("sunspec-meter", "sunspec-inverter", "fronius-symo")
    known = [*marks(load(name)[1] for name in names)]
    async with serving(sunspec(model)) as port:
        (found,) = await seen(port, known)
    assert (found.profiles[0], found.sure) == (profile, True)
    assert found.profiles.count("sunspec-meter") == (model == 203)


def meter(*, volts: float, hertz: float) -> SimDevice:
    """A single phase meter of Eastron: its serial number, and what it measures."""

    def floats(at: int, *values: float) -> SimData:
        registers = [
            *struct.unpack(f">{2 * len(values)}H", struct.pack(f">{len(values)}f", *values))
        ]
        return SimData(at, values=registers, datatype=DataType.REGISTERS)

    serial = SimData(64512, values=[0x0123, 0x4567], datatype=DataType.REGISTERS)
    inputs = [floats(0, volts), floats(6, 4.2), floats(12, 960.0), floats(70, hertz, 12.0)]
    return SimDevice(1, simdata=[*inputs, serial])


def trials(port: int) -> Trials:
    kind = TCP_KIND
    made = kind.compile("wire", kind.settings.model_validate({"host": f"127.0.0.1:{port}"}), [])
    connection = Connection("wire", "modbus-tcp", "", made.place, made.spec, made.secrets)
    return Trials(Wire(connection, kind, [], {}), Path())


@pytest.mark.parametrize(("volts", "hertz", "sure"), [(230.5, 50.0, True), (0.7, 1e-12, False)])
async def test_a_guess_needs_more_than_one_register_that_is_not_empty(
    volts: float, hertz: float, *, sure: bool
) -> None:
    async with serving(meter(volts=volts, hertz=hertz)) as port:
        driver, tried = plant.driver(plant.on_host(port, [])), trials(port)
        search = Search([""], [1], tried.marks, 0.3, trial=tried.point)
        async with driver.asking() as asker, aclosing(ModbusFinder().scan(asker, search)) as steps:
            (found,) = [step.found async for step in steps if step.found]
    assert not found.sure
    if not sure:
        assert (found.profiles, found.why) == ([], "")
        return
    assert len(found.profiles) <= 3
    assert found.profiles[0] in {"eastron-sdm120", "eastron-sdm230"}
    assert found.why == "50 Hz, 230.5 V stand where it has them"


async def test_an_unknown_model_shows_its_first_registers() -> None:
    async with serving(plain()) as port:
        (found,) = await seen(port, [])
    assert (found.profiles, found.sure) == ([], False)
    assert found.says == "input 0..1 = 4366 8000 (230.5 as float32 ABCD)"


async def test_a_probe_works_behind_a_host() -> None:
    async with serving(plain()) as port:
        driver = plant.driver(plant.on_host(port, []))
        async with driver.asking() as asker:
            best, *_ = await ModbusFinder().probe(asker, Place(1, "holding 0", 230.5))
    assert best.settings == {"read": "holding 0", "as": "float32"}
