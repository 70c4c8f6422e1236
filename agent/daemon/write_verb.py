"""Changing a point because somebody asks: may it be, is it still wanted, what does it show now."""

import dataclasses
import math

from agent import plan
from agent.clock import Clock, from_iso, iso
from agent.daemon.gateway import Gateway
from agent.daemon.supervisor import asked
from agent.driver import DeviceFault, DriverError, Reading, Writes
from agent.errors import (
    DeviceNotFoundError,
    NoAnswerError,
    NotFoundError,
    NotWritableError,
    ValidationError,
)
from agent.plan import Json
from agent.sample import Value


async def write(gateway: Gateway, args: Json) -> Json:
    """Write one point, once, and read it back.

    Args:
        gateway: whose devices.
        args: `device`, `point`, `value` (a number, yes or no, or a text of the profile) and
            `expires`: the RFC 3339 time from which nobody wants it any more, or nothing.

    Returns:
        `reading`: what the device shows afterwards.

    Raises:
        DeviceNotFoundError, NotFoundError: there is no such device or point.
        NotWritableError: its profile does not allow it, its driver cannot, or the device does not
            take it: it said so, or shows another value afterwards.
        ValidationError: the value is none of this point, out of range or refused by the device as
            such, or the command is too old.
        BusyError: the device is.
        NoAnswerError: it said nothing; where it may have been written all the same, that is said.
    """
    device = _device(gateway.plan, args)
    point = _point(device, args)
    value = _value(point, device.points[point], args)
    driver = _driver(gateway, device)
    _still_wanted(gateway.clock, args)
    try:
        async with asked(device.connection):
            reading = await driver.write(device.name, point, value)
    except (DeviceFault, DriverError) as error:
        message = f"{device.name}: {error.message}"
        raise NoAnswerError(message, action=error.action) from error
    return {"reading": as_json(reading)}


def as_json(reading: Reading) -> Json:
    """One reading, as the verbs `read` and `write` have it."""
    answer = dataclasses.asdict(reading)
    at = answer.pop("at")
    return {**answer, "quality": str(reading.quality), "time": iso(at["wall_ns"])}


def _device(running: plan.Plan, args: Json) -> plan.Device:
    name = str(args.get("device", ""))
    if name not in running.devices:
        message = f"There is no device '{name}'."
        raise DeviceNotFoundError(message, action=f"Devices here: {', '.join(running.devices)}")
    return running.devices[name]


def _point(device: plan.Device, args: Json) -> str:
    name = str(args.get("point", ""))
    if name not in device.points:
        message = f"{device.name} has no point '{name}'."
        raise NotFoundError(message, action=f"Points here: {', '.join(device.points)}")
    if not device.points[name].writable:
        message = f"{device.name}.{name} may not be written: its profile does not allow it."
        may = ", ".join(known for known, point in device.points.items() if point.writable)
        action = f"These may: {may}" if may else "It needs `write: true` at this point"
        raise NotWritableError(message, action=action)
    return name


def _value(name: str, point: plan.Point, args: Json) -> Value:
    """The value, and whether it is one that no device needs to be asked about."""
    value = args.get("value")
    if not isinstance(value, bool | int | float | str) or value == "":
        raise ValidationError(
            field="value", reason="missing", message=f"{name}: there is no value to write."
        )
    try:
        number = float(value)
    except ValueError:
        return value  # a word of the profile, `auto`: its driver knows them
    except OverflowError:
        number = math.inf
    low = -math.inf if point.low is None else point.low
    high = math.inf if point.high is None else point.high
    if not math.isfinite(number) or not low <= number <= high:
        unit = f" {point.unit}" if point.unit else ""
        message = f"{name}: {value}{unit} is outside {_range(point)}; nothing was written."
        raise ValidationError(field="value", reason="out of range", message=message)
    return value


def _range(point: plan.Point) -> str:
    if point.low is None and point.high is None:
        return "all that a number can be"
    low = "anything" if point.low is None else f"{point.low:.10g}"
    return f"{low} … {'anything' if point.high is None else f'{point.high:.10g}'}"


def _driver(gateway: Gateway, device: plan.Device) -> Writes:
    supervisor = gateway.supervisors.get(device.connection)
    driver = supervisor.driver if supervisor else None
    if driver is None or not device.enabled:
        message = f"{device.connection} is not open, so {device.name} cannot be written."
        raise NoAnswerError(message, action="fieldpost status")
    if not isinstance(driver, Writes):
        message = f"{device.name} can only be read: nothing can be written on {device.connection}."
        raise NotWritableError(message)
    return driver


def _still_wanted(clock: Clock, args: Json) -> None:
    """Refuse a command that was on its way for too long."""
    expires = args.get("expires")
    if expires is None:
        return
    try:
        until_ns = from_iso(expires)
    except (TypeError, ValueError) as error:
        message = "expires: write a time such as 2026-11-23T14:46:50Z."
        raise ValidationError(field="expires", reason="no time", message=message) from error
    if clock.now().wall_ns >= until_ns:
        message = f"This command was good until {expires} and came too late; nothing was written."
        raise ValidationError(field="expires", reason="over", message=message)
