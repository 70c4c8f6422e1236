"""Changing a point because somebody asks: once, then looked at."""

from typing import Final

from agent.driver import DeviceFault, DriverError, Reading, Value
from agent.errors import NotWritableError
from drivers.modbus import faults
from drivers.modbus.bus import Bus
from drivers.modbus.demand import Demand
from drivers.modbus.encode import Encoded, Mask, encoded
from drivers.modbus.frames import Damaged, Refused, Silent, payload
from drivers.modbus.layout import Field
from drivers.modbus.plan import Conversion, Table
from drivers.modbus.requests import (
    Request,
    mask_request,
    write_coil_request,
    write_registers_request,
)
from drivers.modbus.station import Station

SAME: Final = 1e-5  # relative; a float32 on its way through a scale
ALL_BITS: Final = 0xFFFF


class Writing:
    """One write to one station.

    Args:
        station: the device.
        bus: an open one.
        demand: reads it back.
    """

    def __init__(self, station: Station, bus: Bus, demand: Demand) -> None:
        self._station, self._bus, self._demand = station, bus, demand

    async def write(self, point: str, value: Value) -> Reading:
        """See `agent.driver.Writes`."""
        unit = self._station.unit
        await self._demand.locate()
        field = self._station.fields().get(point)
        if field is None or point not in unit.writable:
            message = f"'{unit.device}' has no point '{point}' that may be written"
            may = ", ".join(unit.writable)
            action = f"These may: {may}." if may else "Its profile marks none with `write: true`."
            raise NotWritableError(message, action=action)
        request = _request(unit.address, field, encoded(unit, field, value))
        doubt = await self._told(field, request)
        shown = await self._read_back(point, value, doubt)
        if not _same(value, shown.value, unit.conversions.get(point)):
            if doubt:
                raise faults.in_doubt(point, value, doubt, f"shows {shown.value}")
            raise faults.not_kept(unit, point, value, shown.value)
        return shown

    async def _told(self, field: Field, request: Request) -> str:
        """Send it; empty when the device said yes, else why we do not know.

        Raises:
            FieldpostError: it refused.
            DriverError: the line was lost; nobody knows whether it was written.
        """
        try:
            payload((await self._bus.tell(self._station.unit, request)).pdu)
        except Refused as error:
            if error.code == faults.ACCEPTED:
                return "it said that it needs more time"
            raise faults.refused_write(self._station.unit, error, field) from error
        except Silent:
            return "no answer came"
        except Damaged as error:
            return f"the answer was damaged ({error.what})"
        except DriverError as error:
            message = f"{error.message}; {field.point} may or may not have been written"
            raise DriverError(error.state, message, action=error.action) from error
        return ""

    async def _read_back(self, point: str, value: Value, doubt: str) -> Reading:
        try:
            (shown,) = await self._demand.read(point)
        except DeviceFault as error:
            why = doubt or "said yes"
            raise faults.in_doubt(point, value, why, f"reading it back: {error.message}") from error
        return shown


def _request(address: int, field: Field, what: Encoded) -> Request:
    if field.table in {Table.DISCRETE, Table.INPUT}:
        message = f"{field.point} stands in {field.table} registers, which nobody can write"
        raise NotWritableError(message, action="Remove `write: true` from its profile.")
    if isinstance(what, bool):
        return write_coil_request(address, field.at, on=what)
    if isinstance(what, Mask):
        return mask_request(address, field.at, ALL_BITS ^ what.bits, what.value)
    return write_registers_request(address, field.at, what)


def _same(wanted: Value, shown: Value | None, how: Conversion | None) -> bool:
    if isinstance(shown, bool):
        return str(wanted).lower() in ({"yes", "true", "on", "1"} if shown else _NO)
    if isinstance(shown, str):
        return str(wanted) == shown or (how is not None and how.labels.get(str(wanted)) == shown)
    if shown is None:
        return False
    number = float(wanted)
    return abs(number - shown) <= SAME * max(1.0, abs(number))


_NO: Final = frozenset({"no", "false", "off", "0"})
