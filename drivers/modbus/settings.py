"""What may stand in the file for Modbus, and how it is compiled; `prepare` alone."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from agent import plan
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
from drivers.modbus import airtime
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
LATENCY_S = 0.05  # of a meter's own thinking, until it is learned at run time
ROUND_TRIP_S = 0.004  # of a request on a local network, with what it costs us
NETWORK_REGISTER_S = 1e-6
FULL, BUSY = 1.0, 0.8
SPEEDS = (9600, 19200, 38400, 57600, 115200)


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
    cost = Cost(airtime.CHARACTERS * character + gap_s + LATENCY_S / 5, 2 * character)
    units = _units(devices, settings.timeout, settings.gap, cost)
    problems = [*_port(name, settings.port), *_addresses(name, devices)]
    problems += _load(name, port, settings.gap, units)
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
    cost = Cost(ROUND_TRIP_S, NETWORK_REGISTER_S)
    units = _units(devices, settings.timeout, settings.gap, cost)
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
    return Compiled(
        place=spec.place,
        spec=plan.to_json(spec),
        devices={device.name: _device(name, device) for device in devices},
        secrets=secrets,
        problems=problems,
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
    devices: Sequence[DeviceInput], timeout_s: float, gap_s: float, cost: Cost
) -> list[Unit]:
    enabled = [d for d in devices if d.settings.enabled and _address(d) is not None]
    return [unit_of(d, _address(d) or 0, (timeout_s, gap_s), cost) for d in enabled]


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


def _load(name: str, port: SerialPort, gap_s: float, units: Sequence[Unit]) -> Iterator[Problem]:
    """Whether the line can carry what it is asked (`config-and-cli`, 5.3)."""
    talking = {u.device: _talking(u, port, gap_s, 0.0) for u in units}
    total = sum(talking.values())
    busy = sum(_talking(u, port, gap_s, LATENCY_S) for u in units)
    if total <= FULL and busy <= BUSY:
        return
    worst = max(units, key=lambda u: talking[u.device])
    each = sorted(talking.items(), key=lambda item: -item[1])
    message = f"this wire is busy {busy:.0%} of the time".replace("%", " %")
    if total > FULL:
        message = (
            "this wire is too slow for what it is asked: "
            f"it needs {total:.2f} s of talking every second"
        )
    note = ", ".join(f"{device} {part * 100:.0f} %" for device, part in each)
    yield Problem(
        ("connections", name),
        message,
        fix=_relief(port, worst, talking[worst.device], total),
        note=f"{note} of the time at {port.baud} baud",
        severity=Severity.ERROR if total > FULL else Severity.WARNING,
        spot=Spot.KEY,
        code="bus_time",
    )


def _talking(unit: Unit, port: SerialPort, gap_s: float, latency_s: float) -> float:
    gap_s = max(gap_s, unit.gap_s, silence_s(port)) + latency_s
    price = {
        place: sum(airtime.request_s(block, port, gap_s) for block in each.blocks)
        for place, each in enumerate(unit.rounds)
    }
    return airtime.share(unit.rounds, price)


def _relief(port: SerialPort, worst: Unit, part: float, total: float) -> str:
    """Read the dearest device less often, or speed up the line."""
    every_s = min(e for each in worst.rounds for e in each.every_s)
    left = BUSY - (total - part)
    enough_s = every_s * part / left if left > 0 else every_s * total / BUSY
    fix = f"read {worst.device} every {airtime.written(airtime.nice(enough_s))}"
    faster = next((speed for speed in SPEEDS if speed > port.baud), None)
    framing = port.written.split()[1]
    return f"{fix}, or set the meters and `line:` to {faster} {framing}" if faster else fix


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
