"""What may stand in the file for Bluetooth, and how it is compiled; `prepare` alone."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import PlainValidator

from agent import plan
from agent.prepare.kinds import (
    Compiled,
    ConnectionKind,
    DeviceInput,
    DeviceSettings,
    Problem,
    Settings,
    Spot,
)
from agent.prepare.points import point_of, range_of, switched_on
from agent.prepare.types import Mac, SecretName, as_text, refuse, text
from drivers.bluetooth.decoders import DECODERS
from drivers.bluetooth.plan import Ask, Beacon, Pick, RadioPlan, Sensor
from drivers.bluetooth.profile import BluetoothPoint, BluetoothProfile

EVERY_S = 300.0  # a sensor that is connected to lives on a battery


def known_adapter(value: Any) -> str:
    """As the kernel calls it: `hci0`."""
    written = text(value)
    if not re.fullmatch(r"hci\d{1,2}", written, re.ASCII):
        message = f"'{written}' is not the name of a Bluetooth adapter"
        refuse(message, fix="write hci0, which is the only one on most gateways")
    return written


class RadioSettings(Settings):
    """`connections.<name>` with `kind: bluetooth`."""

    adapter: Annotated[str, PlainValidator(known_adapter), as_text(r"^hci\d+$", "hci0")] = "hci0"
    scan: Literal["passive", "active"] = "passive"


class SensorSettings(DeviceSettings):
    """`devices.<name>` on a radio. `mac` is required, which `compile` says."""

    mac: Mac | None = None
    key: SecretName | None = None


def compile_radio(name: str, settings: Settings, devices: Sequence[DeviceInput]) -> Compiled:
    """One radio and its sensors → what the driver runs."""
    assert isinstance(settings, RadioSettings)  # noqa: S101 - by construction of KIND
    enabled = [d for d in devices if d.settings.enabled and _settings(d).mac]
    beacons = [_beacon(device) for device in enabled if _profile(device).decoder]
    sensors = [_sensor(device) for device in enabled if not _profile(device).decoder]
    spec = RadioPlan(settings.adapter, settings.scan == "passive", beacons, sensors)
    problems = [*_missing(devices), *_twice(name, devices)]
    for device in devices:
        problems += [*_intervals(device), *_keys(device)]
    return Compiled(
        place=settings.adapter,
        spec=plan.to_json(spec),
        devices={device.name: _device(name, device) for device in devices},
        secrets=sorted({beacon.key for beacon in beacons if beacon.key}),
        problems=problems,
    )


def _beacon(device: DeviceInput) -> Beacon:
    profile, settings = _profile(device), _settings(device)
    return Beacon(
        device.name,
        settings.mac or "",
        profile.decoder or "",
        [_pick(name, point, device) for name, point in _points(device)],
        key=str(settings.key) if settings.key else None,
        name=profile.name,
    )


def _sensor(device: DeviceInput) -> Sensor:
    profile = _profile(device)
    asks = [_ask(name, point, device) for name, point in _points(device)]
    mac = _settings(device).mac or ""
    return Sensor(device.name, mac, _every_s(device), asks, keep_connected=profile.keep_connected)


def _profile(device: DeviceInput) -> BluetoothProfile:
    assert isinstance(device.profile, BluetoothProfile)  # noqa: S101 - by construction of KIND
    return device.profile


def _settings(device: DeviceInput) -> SensorSettings:
    assert isinstance(device.settings, SensorSettings)  # noqa: S101 - by construction of KIND
    return device.settings


def _every_s(device: DeviceInput) -> float:
    return device.settings.every or _profile(device).every or EVERY_S


def _points(device: DeviceInput) -> Iterator[tuple[str, BluetoothPoint]]:
    return switched_on(_profile(device).points, device)


def _pick(name: str, point: BluetoothPoint, device: DeviceInput) -> Pick:
    low, high = range_of(name, point, device)
    return Pick(
        name,
        point.value or name,
        part=point.part,
        form=point.form,
        scale=point.scale,
        offset=point.offset,
        unit=point.unit,
        low=low,
        high=high,
    )


def _ask(name: str, point: BluetoothPoint, device: DeviceInput) -> Ask:
    low, high = range_of(name, point, device)
    return Ask(
        name,
        point.characteristic or "",
        point.form,
        big=point.order == "big",
        at=point.at,
        scale=point.scale,
        offset=point.offset,
        unit=point.unit,
        low=low,
        high=high,
    )


def _device(connection: str, device: DeviceInput) -> plan.Device:
    every_s = None if _profile(device).decoder else _every_s(device)
    points = {name: point_of(name, point, device, every_s) for name, point in _points(device)}
    settings = _settings(device)
    return plan.Device(
        device.name,
        settings.profile,
        connection,
        settings.mac or "",
        every_s,
        settings.enabled,
        points,
    )


def _missing(devices: Sequence[DeviceInput]) -> Iterator[Problem]:
    for device in devices:
        if _settings(device).mac is None:
            yield Problem(
                ("devices", device.name),
                f"'{device.name}' is a Bluetooth sensor and has no address",
                fix="add  mac: A4:C1:38:A1:B2:C3   (from `fieldpost scan ble` or its label)",
                spot=Spot.KEY,
                code="missing",
            )


def _twice(name: str, devices: Sequence[DeviceInput]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for device in devices:
        mac = _settings(device).mac
        if mac is None:
            continue
        if mac in seen:
            yield Problem(
                ("devices", device.name, "mac"),
                f"address {mac} on {name} is already taken by '{seen[mac]}'",
                fix="copy the address from the label of this sensor, or delete one of the two",
                code="address",
            )
        seen.setdefault(mac, device.name)


def _intervals(device: DeviceInput) -> Iterator[Problem]:
    settings = device.settings
    at = ("devices", device.name)
    paths: list[tuple[str, ...]] = []
    if settings.every is not None and _profile(device).decoder:
        paths.append((*at, "every"))
    paths += [
        (*at, "points", name, "every")
        for name, override in settings.points.items()
        if override.every is not None
    ]
    for path in paths:
        if _profile(device).decoder:
            message = f"'{device.name}' speaks on its own: how often is not ours to set"
            fix = "delete `every:`; the interval is learned"
        else:
            message = f"all points of '{device.name}' are read in one visit"
            fix = f"write `every:` at '{device.name}' itself"
        yield Problem(path, message, fix=fix, spot=Spot.KEY, code="every")


def _keys(device: DeviceInput) -> Iterator[Problem]:
    decoder = _profile(device).decoder
    if _settings(device).key and not (decoder and DECODERS[decoder].keyed):
        yield Problem(
            ("devices", device.name, "key"),
            f"'{device.name}' does not encrypt what it says, so it needs no key",
            fix="delete `key:`",
            spot=Spot.KEY,
            code="key",
        )


KIND = ConnectionKind(
    family="bluetooth",
    settings=RadioSettings,
    device=SensorSettings,
    profile=BluetoothProfile,
    compile=compile_radio,
)
