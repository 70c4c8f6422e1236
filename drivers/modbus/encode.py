"""From a value to the registers or the bit that hold it: the way back through a profile. Pure."""

import math
import struct
from dataclasses import dataclass
from typing import Final

from agent.errors import NotWritableError, ValidationError
from agent.sample import Value
from drivers.modbus.codec import LITTLE, SWAPPED, swapped
from drivers.modbus.layout import Field
from drivers.modbus.plan import Conversion, Unit

CLOSE: Final = 1e-6  # of a raw number: what is left of a division that comes out even
TRUE: Final = frozenset({"yes", "true", "on", "1"})
FALSE: Final = frozenset({"no", "false", "off", "0"})


@dataclass(frozen=True, slots=True)
class Mask:
    """Bits of one register: those of `bits` become those of `value`, the others stay."""

    value: int
    bits: int


Encoded = bool | bytes | Mask


def encoded(unit: Unit, field: Field, value: Value) -> Encoded:
    """What has to be written: a coil, the bytes of registers, or some bits of one register.

    Raises:
        NotWritableError: a point of this kind cannot be written.
        ValidationError: the value is not one of this point, or outside its range.
    """
    how = unit.conversions.get(field.point, Conversion())
    if field.table.of_bits:
        return _switch(field.point, value)
    if how.kind in {"flag", "bits"}:
        return _mask(field, how, value)
    if how.companion is not None or how.kind != "number":
        message = f"{field.point} cannot be written: only numbers, switches and bits can"
        raise NotWritableError(message)
    number = _number(field.point, how, value)
    _within(unit, field.point, number)
    return _registers(field, (number - how.offset) / how.scale, how.scale)


def _switch(point: str, value: Value) -> bool:
    written = str(value).lower()
    if written in TRUE | FALSE:
        return written in TRUE
    raise ValidationError(point, "not yes or no", f"{point}: write yes or no")


def _number(point: str, how: Conversion, value: Value) -> float:
    labels = {text: raw for raw, text in how.labels.items()}
    written = labels.get(str(value), value)
    try:
        number = float(written)
    except (ValueError, OverflowError) as error:
        known = f", or one of {', '.join(labels)}" if labels else ""
        message = f"{point}: write a number{known}"
        raise ValidationError(point, "not a number", message) from error
    if not math.isfinite(number):
        raise ValidationError(point, "not a number", f"{point}: {value} is not a number to write")
    return number


def _within(unit: Unit, point: str, number: float) -> None:
    low, high = unit.ranges.get(point, (None, None))
    if (low is not None and number < low) or (high is not None and number > high):
        allowed = (
            f"{'any' if low is None else f'{low:g}'} to {'any' if high is None else f'{high:g}'}"
        )
        message = f"{point}: {number:g} is outside {allowed}"
        raise ValidationError(point, "out of range", message)


def _mask(field: Field, how: Conversion, value: Value) -> Mask:
    number = int(_switch(field.point, value)) if how.kind == "flag" else _whole(field.point, value)
    if not 0 <= number < 1 << how.bits or field.count > 1:
        message = f"{field.point}: {number} does not fit into {how.bits} bits"
        raise ValidationError(field.point, "out of range", message)
    return Mask(number << how.low_bit, (1 << how.bits) - 1 << how.low_bit)


def _whole(point: str, value: Value) -> int:
    number = float(value) if not isinstance(value, str) or value.strip("-").isdigit() else None
    if number is None or number != int(number):
        raise ValidationError(point, "not a whole number", f"{point}: write a whole number")
    return int(number)


def _registers(field: Field, raw: float, step: float) -> bytes:
    sign = "<" if field.order in LITTLE else ">"
    try:
        if field.code in "efd":
            data = struct.pack(sign + field.code, raw)
        else:
            whole = round(raw)
            if abs(raw - whole) > CLOSE * max(1.0, abs(raw)):
                message = f"{field.point}: the device holds steps of {step:g}; nothing was written"
                raise ValidationError(field.point, "too fine", message)
            data = struct.pack(sign + field.code, whole)
    except (struct.error, OverflowError) as error:
        message = f"{field.point}: more than its registers hold; nothing was written"
        raise ValidationError(field.point, "too large", message) from error
    return swapped(data) if field.order in SWAPPED else data
