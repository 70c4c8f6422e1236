"""From a raw number or bytes to what the point means: scale, BCD, text, bits. Pure."""

import math
from collections.abc import Callable, Mapping
from typing import Final

from agent.sample import Value
from drivers.modbus import moments
from drivers.modbus.plan import Companion, Conversion, Operation

Raw = int | float | bytes
LARGEST_EXPONENT: Final = 10  # SunSpec: scale factors go from -10 to 10


class Undecodable(ValueError):
    """The bytes are no value of the kind the profile says."""


def converter(how: Conversion) -> Callable[[Raw | Value], Value | None]:
    """A function from the raw value to the value; None means that the device has none."""
    step = STEPS.get(how.kind)
    number = _linear(how)
    absent, flag = frozenset(how.absent), how.kind == "flag"

    def convert(raw: Raw | Value) -> Value | None:
        if absent and _comparable(raw) in absent:
            return None
        value = step(raw, how) if step else raw
        if isinstance(value, str):
            return value or None
        if how.labels:
            return how.labels.get(str(value), str(value))
        return bool(value) if flag else number(value)  # type: ignore[arg-type]  # bytes are gone

    return convert


def combined(value: Value, companion: Companion, other: Value) -> Value:
    """A value and the register that scales it.

    Raises:
        Undecodable: the other register holds nothing to scale with.
    """
    if isinstance(value, str) or isinstance(other, str):
        raise Undecodable
    if companion.operation is Operation.EXPONENT:
        return _scaled(value, int(other))
    if companion.operation is Operation.MULTIPLY:
        return value * other
    if other == 0:
        raise Undecodable
    return value / other


def _scaled(value: float, exponent: int) -> float:
    """Value x 10^exponent without the noise of multiplying by 0.1: 2301, -1 → 230.1."""
    if abs(exponent) > LARGEST_EXPONENT:
        raise Undecodable
    power: int = 10 ** abs(exponent)
    return value / power if exponent < 0 else value * power


def _linear(how: Conversion) -> Callable[[float], float]:
    """Raw x scale + offset; a scale of 0.1 divides by ten, which is exact."""
    scale, offset = how.scale, how.offset
    if scale == 1 and offset == 0:
        return lambda raw: raw
    digits = _digits(scale, offset)
    over = round(1 / scale) if 0 < scale < 1 else 0
    if over and math.isclose(over * scale, 1, rel_tol=1e-12) and offset == 0:
        return lambda raw: raw / over
    return lambda raw: round(raw * scale + offset, digits)


def _digits(scale: float, offset: float) -> int:
    """Decimal places behind which a raw whole number times `scale` has nothing but noise."""
    whole = max(abs(scale), abs(offset), 1e-9)
    return 12 - math.ceil(math.log10(whole))


def _comparable(raw: Raw | Value) -> Raw | Value:
    return int.from_bytes(raw, "big") if isinstance(raw, bytes) else raw


def _text(raw: Raw | Value, _: Conversion) -> str:
    """A text ends at its first NUL; blanks around it are filling."""
    data = raw if isinstance(raw, bytes) else b""
    return data.split(b"\0", 1)[0].decode("utf-8", "replace").strip()


def _bcd(raw: Raw | Value, _: Conversion) -> int:
    try:
        return int(f"{int(raw):x}")
    except ValueError as error:
        raise Undecodable from error


def _decimal(raw: Raw | Value, how: Conversion) -> int:
    """Registers of four decimal digits each, in either order (`mod10`)."""
    data = raw if isinstance(raw, bytes) else b""
    registers = [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]
    if how.kind == "decimal-low-first":
        registers.reverse()
    value = 0
    for digits in registers:
        if digits > 9999:  # noqa: PLR2004 -- four digits
            raise Undecodable
        value = value * 10_000 + digits
    return value


def _bits(raw: Raw | Value, how: Conversion) -> int:
    return int(raw) >> how.low_bit & (1 << how.bits) - 1


def _signed(raw: Raw | Value, how: Conversion) -> int:
    value = _bits(raw, how)
    return value - (1 << how.bits) if value >> how.bits - 1 else value


def _flags(raw: Raw | Value, how: Conversion) -> str:
    """The names of the bits that are set; a bit without a name is named by its number."""
    bits = [n for n in range(int(raw).bit_length()) if int(raw) >> n & 1]
    return ", ".join(how.labels.get(f"{n}", f"bit {n}") for n in bits) or "none"


def _moment(raw: Raw | Value, how: Conversion) -> str:
    data = raw if isinstance(raw, bytes) else int(raw).to_bytes(4)
    try:
        return moments.READERS[how.kind](data)
    except ValueError as error:
        raise Undecodable from error


STEPS: Final[Mapping[str, Callable[[Raw | Value, Conversion], int | str]]] = {
    "text": _text,
    "bcd": _bcd,
    "decimal": _decimal,
    "decimal-low-first": _decimal,
    "bits": _bits,
    "flag": _bits,
    "signed": _signed,
    "flags": _flags,
    **dict.fromkeys(moments.READERS, _moment),
}


def companions(conversions: Mapping[str, Conversion]) -> Mapping[str, Companion]:
    """The points that have to be combined with another register."""
    return {p: c.companion for p, c in conversions.items() if c.companion is not None}
