"""Plans and devices for tests of the Modbus driver, made the way `prepare` makes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent import plan
from agent.prepare.kinds import Compiled, DeviceInput
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.plan import Line
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.settings import (
    RtuSettings,
    TcpSettings,
    UnitSettings,
    compile_rtu,
    compile_tcp,
)

PROFILES = Path(__file__).parents[3] / "config" / "profiles"


def points(text: str) -> dict[str, dict[str, str]]:
    """`a: holding 0 uint16; b: input 3 float32 CDAB scale=0.1` → points of a profile."""
    found = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        name, _, rest = part.partition(":")
        words = rest.split()
        point = {"read": " ".join(words[:2])}
        for word in words[2:]:
            key, sign, value = word.partition("=")
            upper = not sign and word.isupper()
            point |= {key: value} if sign else {"order" if upper else "as": word}
        found[name] = point
    return found


def profile(text: str, **more: Any) -> ModbusProfile:
    """A profile with these points."""
    settings = {"profile": "bench", "kind": "modbus", "every": "50ms", "points": points(text)}
    return ModbusProfile.model_validate(settings | more)


def device(name: str, address: int, like: ModbusProfile, **settings: Any) -> DeviceInput:
    """One device with a profile."""
    block = {"profile": like.profile, "via": "wire", "address": str(address)} | settings
    return DeviceInput(name, UnitSettings.model_validate(block), like)


def on_host(port: int, devices: Sequence[DeviceInput], **settings: str) -> Compiled:
    """A TCP connection to this machine."""
    block = {"host": f"127.0.0.1:{port}"} | settings
    return compile_tcp("wire", TcpSettings.model_validate(block), devices)


def on_line(port: str, devices: Sequence[DeviceInput], **settings: str) -> Compiled:
    """A serial line."""
    block = {"port": port, "line": "19200 8N1", "gap": "0ms"} | settings
    return compile_rtu("rs485", RtuSettings.model_validate(block), devices)


def driver(compiled: Compiled) -> ModbusDriver:
    """What `open_driver` makes of it, through JSON as in life."""
    return ModbusDriver(plan.from_json(Line, compiled.spec))


def values(sample: Any) -> Mapping[str, Any]:
    """A sample's values."""
    return dict(sample.values)


def rtu_frame(body: bytes) -> bytes:
    """Unit and PDU with their checksum (serial line V1.02, 6.2.2), bit by bit."""
    crc = 0xFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return body + crc.to_bytes(2, "little")


def ascii_frame(body: bytes) -> bytes:
    """Unit and PDU between a colon and CR LF."""
    check = bytes([-sum(body) & 0xFF])
    return b":" + (body + check).hex().upper().encode() + b"\r\n"
