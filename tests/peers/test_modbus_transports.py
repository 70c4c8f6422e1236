"""Every transport against pymodbus servers: RTU, ASCII, UDP, TLS, on lines and through TCP."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymodbus import FramerType
from pymodbus.server import (
    ModbusSerialServer,
    ModbusTcpServer,
    ModbusTlsServer,
    ModbusUdpServer,
)
from pymodbus.simulator import DataType, SimData, SimDevice

from agent import plan
from agent.demo.sandbox.authority import Authority
from agent.driver import DriverError
from agent.secret import Secret
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.plan import Line
from tests.drivers.modbus import plant
from tests.lab.serial.rs485bus import Rs485Bus

LIKE = plant.profile("a: holding 3 uint16; b: holding 10 uint32; c: holding 99 int16")
SAYS = {"a": 3003, "b": 3010 << 16 | 3011, "c": 3099}


def device() -> SimDevice:
    values = [3000 + n for n in range(100)]
    return SimDevice(3, simdata=[SimData(0, values=values, datatype=DataType.REGISTERS)])


@asynccontextmanager
async def serving(
    server: ModbusTcpServer | ModbusUdpServer | ModbusSerialServer,
) -> AsyncIterator[int]:
    """A pymodbus server while it runs; yields its port, 0 on a line."""
    await server.serve_forever(background=True)
    transport: Any = server.transport
    port = 0
    if isinstance(server, ModbusUdpServer):
        port = transport.get_extra_info("sockname")[1]
    elif isinstance(server, ModbusTcpServer):
        port = transport.sockets[0].getsockname()[1]
    try:
        yield port
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus has no type here


async def everything(driver: ModbusDriver) -> Mapping[str, object]:
    """All points, and the connection given back."""
    found = {r.point: r.value for r in await driver.read("m", None)}
    await asyncio.sleep(0)  # pymodbus notices that we have gone
    return found


@pytest.mark.parametrize("framing", ["tcp", "rtu", "ascii"])
async def test_each_framing_goes_through_tcp(framing: str) -> None:
    framer = {"tcp": FramerType.SOCKET, "rtu": FramerType.RTU, "ascii": FramerType.ASCII}[framing]
    server = ModbusTcpServer(device(), framer=framer, address=("127.0.0.1", 0))
    async with serving(server) as port:
        compiled = plant.on_host(port, [plant.device("m", 3, LIKE)], framing=framing)
        assert await everything(plant.driver(compiled)) == SAYS


async def test_datagrams_are_read() -> None:
    async with serving(ModbusUdpServer(device(), address=("127.0.0.1", 0))) as port:
        compiled = plant.on_host(port, [plant.device("m", 3, LIKE)], transport="udp")
        assert await everything(plant.driver(compiled)) == SAYS


async def test_a_datagram_to_nobody_says_so() -> None:
    compiled = plant.on_host(9, [plant.device("m", 3, LIKE)], transport="udp", timeout="50ms")
    with pytest.raises(DriverError, match="refuses port 9"):
        await everything(plant.driver(compiled))


@pytest.mark.parametrize("framing", ["rtu", "ascii"])
async def test_each_framing_goes_through_a_line(framing: str) -> None:
    framer = FramerType.ASCII if framing == "ascii" else FramerType.RTU
    with Rs485Bus("master", "s3=3" if framing == "rtu" else "s3") as bus:
        server = ModbusSerialServer(device(), framer=framer, port=bus.port("s3"))
        async with serving(server):
            compiled = plant.on_line(
                bus.port("master"), [plant.device("m", 3, LIKE)], framing=framing
            )
            assert await everything(plant.driver(compiled)) == SAYS


@asynccontextmanager
async def secured(authority: Authority, folder: Path, *names: str) -> AsyncIterator[int]:
    """A TLS server that asks for our certificate."""
    pair = authority.server(names)
    (folder / "pair.pem").write_bytes(pair.certificate + pair.private_key)
    (folder / "ca.pem").write_bytes(authority.pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "pair.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = ModbusTlsServer(
        device(), framer=FramerType.SOCKET, address=("127.0.0.1", 0), sslctx=context
    )
    async with serving(server) as port:
        yield port


def with_tls(port: int, authority: Authority, trusted: bytes) -> ModbusDriver:
    """A driver that shows its certificate and trusts one authority."""
    ours = authority.client("gateway")
    compiled = plant.on_host(
        port,
        [plant.device("m", 3, LIKE)],
        transport="tls",
        ca="secret:ca",
        certificate="secret:ours",
        private_key="secret:key",
    )
    assert compiled.secrets == ["ca", "ours", "key"]
    contents = {"ca": trusted, "ours": ours.certificate, "key": ours.private_key}
    secrets = {name: Secret(name, content) for name, content in contents.items()}
    return ModbusDriver(plan.from_json(Line, compiled.spec), secrets)


async def test_tls_shows_our_certificate_and_verifies_the_other(tmp_path: Path) -> None:
    authority = Authority()
    async with secured(authority, tmp_path, "127.0.0.1") as port:
        assert await everything(with_tls(port, authority, authority.pem)) == SAYS


async def test_a_device_whose_certificate_is_of_somebody_else_is_refused(tmp_path: Path) -> None:
    authority = Authority()
    async with secured(authority, tmp_path, "127.0.0.1") as port:
        driver = with_tls(port, authority, Authority().pem)
        with pytest.raises(DriverError, match="does not agree on TLS"):
            await everything(driver)


async def test_a_device_with_another_name_is_refused(tmp_path: Path) -> None:
    authority = Authority()
    async with secured(authority, tmp_path, "meter.example") as port:
        driver = with_tls(port, authority, authority.pem)
        with pytest.raises(DriverError, match="does not agree on TLS"):
            await everything(driver)
