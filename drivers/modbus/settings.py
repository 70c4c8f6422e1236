"""What may stand in the file for Modbus, and how it is compiled; `prepare` alone."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from agent import plan
from agent.driver.learned import Learned
from agent.prepare.kinds import (
    Compiled,
    ConnectionKind,
    DeviceInput,
    DeviceSettings,
    Problem,
    Settings,
    Severity,
    Spot,
)
from agent.prepare.points import point_of
from agent.prepare.types import (
    HostPort,
    Interval,
    Seconds,
    SecretName,
    SecretOrPath,
    SerialLine,
    whole_between,
)
from drivers.modbus import airtime, load
from drivers.modbus.borrowed import Borrowed
from drivers.modbus.compile import every_of, full_at, marks, points_of, unit_of
from drivers.modbus.finder import ModbusFinder
from drivers.modbus.golden import proofs
from drivers.modbus.merge import Cost
from drivers.modbus.plan import Host, Line, SerialPort, Unit
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.serial_wire import silence_s

STABLE = "/dev/serial/"
NUMBERED = ("/dev/ttyUSB", "/dev/ttyACM")
PORT = 502
SECURE_PORT = 802
NETWORK_REGISTER_S = 1e-6


class RtuSettings(Settings):
    """`connections.<name>` with `kind: modbus-rtu`."""

    port: str
    line: SerialLine = SerialLine()
    timeout: Interval = 0.3
    gap: Seconds = 0.02
    framing: Literal["rtu", "ascii"] = "rtu"
    direction: Literal["adapter", "kernel"] = "adapter"


class TcpSettings(Settings):
    """`connections.<name>` with `kind: modbus-tcp`."""

    host: HostPort
    framing: Literal["tcp", "rtu", "ascii"] = "tcp"
    transport: Literal["tcp", "tls", "udp"] = "tcp"
    timeout: Interval = 2.0
    gap: Seconds = 0.0
    ca: SecretOrPath | None = None
    certificate: SecretName | None = None
    private_key: SecretName | None = None


class UnitSettings(DeviceSettings):
    """`devices.<name>` on a Modbus connection. `address` is required, which `compile` says."""

    address: Annotated[int, *whole_between(1, 247, "a Modbus address")] | None = None


def compile_rtu(name: str, settings: Settings, devices: Sequence[DeviceInput]) -> Compiled:
    """One serial line and its meters → what the driver runs."""
    assert isinstance(settings, RtuSettings)  # noqa: S101 -- by construction of RTU
    line = settings.line
    port = SerialPort(
        settings.port,
        line.baud,
        line.data_bits,
        line.parity,
        line.stop_bits,
        line.written,
        settings.direction == "kernel",
    )
    gap_s = max(settings.gap, silence_s(port))
    character = port.character_s
    cost = Cost(airtime.CHARACTERS * character + gap_s, 2 * character)
    units = _units(name, devices, (settings.timeout, settings.gap), (cost, load.THINKS_S / 5))
    problems = [*_port(name, settings.port), *_addresses(name, devices)]
    spec = Line(
        name, settings.framing, settings.gap, units, serial=port, timeout_s=settings.timeout
    )
    return _compiled(name, spec, devices, problems)


def compile_tcp(name: str, settings: Settings, devices: Sequence[DeviceInput]) -> Compiled:
    """One host and the units behind it → what the driver runs."""
    assert isinstance(settings, TcpSettings)  # noqa: S101 -- by construction of TCP
    usual = SECURE_PORT if settings.transport == "tls" else PORT
    host = Host(
        settings.host.host,
        settings.host.port or usual,
        settings.transport,
        settings.ca,
        settings.certificate,
        settings.private_key,
    )
    cost = Cost(0.0, NETWORK_REGISTER_S)
    units = _units(name, devices, (settings.timeout, settings.gap), (cost, load.ROUND_TRIP_S))
    spec = Line(name, settings.framing, settings.gap, units, host=host, timeout_s=settings.timeout)
    problems = [*_addresses(name, devices), *_security(name, settings)]
    return _compiled(name, spec, devices, problems, _secrets(settings))


def _compiled(
    name: str,
    spec: Line,
    devices: Sequence[DeviceInput],
    problems: Sequence[Problem],
    secrets: Sequence[str] = (),
) -> Compiled:
    known = {device.name: learned(name, device) for device in devices}
    thinks = {n: k.latency_s for n, k in known.items() if k and k.latency_s is not None}
    parts = load.parts_of(spec, thinks)
    return Compiled(
        place=spec.place,
        spec=plan.to_json(spec),
        devices={device.name: _device(name, device) for device in devices},
        secrets=secrets,
        problems=[*problems, *load.problems(spec, parts), *refusals(name, devices)],
        facts=[load.fact(spec, parts)] if parts else [],
    )


def _secrets(settings: TcpSettings) -> list[str]:
    """Names of secrets the driver has to be given; a path is none."""
    names = (settings.ca, settings.certificate, settings.private_key)
    return [str(name) for name in names if name and not name.startswith("/")]


def _security(name: str, settings: TcpSettings) -> Iterator[Problem]:
    """Certificates without TLS, or half of a pair."""
    pair = {"certificate": settings.certificate, "private_key": settings.private_key}
    given = [key for key, value in pair.items() if value]
    if len(given) == 1:
        (other,) = set(pair) - set(given)
        yield Problem(
            ("connections", name, given[0]),
            f"'{given[0]}' is here but '{other}' is not",
            fix=f"they belong together: add  {other}: secret:...",
            spot=Spot.KEY,
            code="pair",
        )
    elif (given or settings.ca) and settings.transport != "tls":
        key = given[0] if given else "ca"
        yield Problem(
            ("connections", name, key),
            f"'{key}' is of no use without TLS",
            fix="add  transport: tls",
            spot=Spot.KEY,
            code="tls",
        )


def _units(
    connection: str,
    devices: Sequence[DeviceInput],
    patience_s: tuple[float, float],
    price: tuple[Cost, float],
) -> list[Unit]:
    """The enabled ones; a request costs what the connection takes, and what the device thinks."""
    units = []
    for device in devices:
        address = _address(device)
        if device.settings.enabled and address is not None:
            known = learned(connection, device) or Learned(connection, str(address))
            cost, thinks_s = price
            thinks_s = thinks_s if known.latency_s is None else known.latency_s
            dearer = replace(cost, request=cost.request + thinks_s)
            units.append(unit_of(device, address, patience_s, dearer, known.refused))
    return units


def learned(connection: str, device: DeviceInput) -> Learned | None:
    """What is remembered of a device, if it was this one."""
    known, address = device.learned, _address(device)
    same = known and (known.connection, known.address) == (connection, str(address))
    return known if same else None


def refusals(connection: str, devices: Sequence[DeviceInput]) -> Iterator[Problem]:
    """What devices have refused to give with one request, and that their plan heeds it."""
    for device in devices:
        known = learned(connection, device)
        if known and known.refused and device.settings.enabled:
            yield Problem(
                ("devices", device.name, "profile"),
                f"'{device.name}' refuses {', '.join(known.refused)} in one request",
                note="so it is asked for smaller pieces, which takes longer",
                fix="write what it cannot give as  never:  (or  hole: 0)  in its profile",
                severity=Severity.NOTE,
                code="refused",
            )


def _address(device: DeviceInput) -> int | None:
    assert isinstance(device.settings, UnitSettings)  # noqa: S101 -- by construction of the kinds
    return device.settings.address


def _device(connection: str, device: DeviceInput) -> plan.Device:
    points = {}
    for name, point in points_of(device):
        found = point_of(name, point, device, every_of(name, point, device))
        full = found.wraps_at or (full_at(point) if point.counter else None)
        points[name] = replace(found, writable=point.write, wraps_at=full)
    every = min((p.every_s for p in points.values() if p.every_s), default=None)
    settings = device.settings
    address = str(_address(device) or "")
    return plan.Device(
        device.name, settings.profile, connection, address, every, settings.enabled, points
    )


def _port(name: str, port: str) -> Iterator[Problem]:
    if port.startswith(NUMBERED):
        yield Problem(
            ("connections", name, "port"),
            f"{port} can change to another adapter after a reboot",
            fix=f"paste the stable name shown by `fieldpost scan serial`  ({STABLE}by-id/...)",
            severity=Severity.WARNING,
            code="port",
        )


def _addresses(name: str, devices: Sequence[DeviceInput]) -> Iterator[Problem]:
    """Every device has an address, and no other device on this connection has the same."""
    taken: dict[int, str] = {}
    for device in devices:
        address = _address(device)
        path = ("devices", device.name)
        if address is None:
            yield Problem(
                path,
                f"'{device.name}' is on a Modbus line and has no address",
                fix="add  address: N  (the number set on the meter, usually 1)",
                spot=Spot.KEY,
                code="missing",
            )
        elif address in taken:
            first = taken[address]
            yield Problem(
                (*path, "address"),
                f"address {address} on {name} is already taken by '{first}' "
                f"(line {{line:devices/{first}/address}})",
                fix="two meters on one wire need different addresses; set a new one on the meter, "
                "then write it here",
                code="address",
            )
        elif device.settings.enabled:
            taken[address] = device.name


_KIND = partial(
    ConnectionKind,
    family="modbus",
    device=UnitSettings,
    profile=ModbusProfile,
    finder=ModbusFinder(),
    marks=marks,
    proofs=proofs,
    through=Borrowed,
)
RTU = _KIND(settings=RtuSettings, compile=compile_rtu)
TCP = _KIND(settings=TcpSettings, compile=compile_tcp)
