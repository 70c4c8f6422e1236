"""SunSpec: where a device keeps its models, found by walking their chain once.

Makers put the same models at other places: one behind the other, begun at 40000, 50000 or 0, and
with a common model of 65 or 66 registers. Source: SunSpec Alliance, device information model
specification 1.0 (the marker `SunS`, then id, length and points of each model, ended by 0xFFFF).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from agent.driver import DeviceFault, Reason
from drivers.modbus import faults
from drivers.modbus.bus import Bus
from drivers.modbus.frames import Refused, Silent, payload
from drivers.modbus.plan import Model, Table, Unit
from drivers.modbus.requests import read_request
from drivers.modbus.station import Found, Station

BASES: Final = (40000, 50000, 0)
MARKER: Final = b"SunS"
END: Final = 0xFFFF
MODELS_MAX: Final = 64  # more than any device has; ends a walk through rubbish
HEADER: Final = 2  # registers: id and length, which does not count them


async def locate(bus: Bus, station: Station) -> None:
    """Find the models that a station's profile needs, unless they were found before.

    Raises:
        Silent: no answer.
        Damaged: answers that do not arrive whole.
        DeviceFault: it does not speak SunSpec, or has none of the models.
        DriverError: the line was lost.
    """
    if station.located:
        return
    unit = station.planned
    found = await _chain(bus, unit)
    fitting = next((each for each in _variants(unit) if not _missing(each.models, found)), None)
    if fitting is None:
        raise _without(unit, list(found))
    places = {model: _place(model, found) for model in fitting.models}
    station.relocate(fitting, {model: place for model, place in places.items() if place})


def _variants(unit: Unit) -> Iterator[Unit]:
    """The ways in which it can be read: as planned first."""
    yield unit
    other = unit.instead
    if other is not None:
        yield replace(unit, models=other.models, rounds=other.rounds, conversions=other.conversions)


async def _chain(bus: Bus, unit: Unit) -> Mapping[int, Found]:
    """The place of each model, by its number; the first of a kind counts."""
    at = await _begin(bus, unit)
    found: dict[int, Found] = {}
    for _ in range(MODELS_MAX):
        head = await _registers(bus, unit, at) if at < END else b""
        number = int.from_bytes(head[:2]) if head else END
        if number == END:
            break
        registers = HEADER + int.from_bytes(head[2:])
        found.setdefault(number, Found(at, registers))
        at += registers
    return found


async def _begin(bus: Bus, unit: Unit) -> int:
    for base in BASES:
        if await _registers(bus, unit, base) == MARKER:
            return base + len(MARKER) // 2
    places = ", ".join(map(str, BASES))
    message = f"does not speak SunSpec: no marker at holding {places}"
    action = f"Is SunSpec enabled in its menu, or is the profile {unit.profile} of another model?"
    raise DeviceFault(Reason.UNREADABLE, message, action=action)


async def _registers(bus: Bus, unit: Unit, at: int) -> bytes:
    """Two of them; empty where the device has none."""
    try:
        heard = await bus.ask(unit, read_request(unit.address, Table.HOLDING, at, HEADER))
        return payload(heard.pdu)
    except Refused as error:
        if error.code in faults.BEHIND_CONVERTER:
            raise Silent from error
        if error.code in faults.BUSY:
            message = f"is not ready to say which models it has ({faults.EXCEPTIONS[error.code]})"
            raise DeviceFault(Reason.REFUSED, message) from error
        return b""


def _place(model: Model, found: Mapping[int, Found]) -> Found | None:
    there = (place for number, place in found.items() if model.low <= number <= model.high)
    return next(there, None)


def _missing(models: Sequence[Model], found: Mapping[int, Found]) -> Sequence[Model]:
    """Those that it needs and does not have."""
    return [m for m in models if not m.optional and _place(m, found) is None]


def _without(unit: Unit, found: Sequence[int]) -> DeviceFault:
    wanted = " or ".join(_numbers(each.models) for each in _variants(unit))
    message = f"has no SunSpec model {wanted}; it has {', '.join(map(str, found)) or 'none'}"
    action = (
        f"Choose a profile for its models instead of {unit.profile}: fieldpost profiles sunspec"
    )
    return DeviceFault(Reason.UNREADABLE, message, action=action)


def _numbers(models: Sequence[Model]) -> str:
    needed = [model for model in models if not model.optional]
    return ", ".join(f"{m.low}" if m.low == m.high else f"{m.low} to {m.high}" for m in needed)
