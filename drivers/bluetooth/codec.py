"""Bytes of a characteristic become a value. Pure.

Formats are those of the Bluetooth Core Specification, vol. 3, part G: integers and IEEE 754
numbers, lowest byte first unless a profile says otherwise.
"""

import math
import struct
from collections.abc import Mapping
from typing import Final

from agent.driver import DeviceFault, Reason
from agent.sample import Value
from drivers.bluetooth.plan import Ask

EXACT: Final = ".9g"  # significant digits; more is an artefact of scaling
FORMS: Final[Mapping[str, str]] = {
    "bool": "?",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
TEXT: Final = "text"


def decode(data: bytes, ask: Ask) -> Value:
    """The value of one characteristic.

    Raises:
        DeviceFault: UNREADABLE it is shorter than it should be, NOT_A_NUMBER.
    """
    if ask.form == TEXT:
        return data[ask.at :].rstrip(b"\0").decode(errors="replace")
    try:
        (value,) = struct.unpack_from(f"{'>' if ask.big else '<'}{FORMS[ask.form]}", data, ask.at)
    except struct.error as error:
        message = f"{ask.form} does not fit into its {len(data)} bytes: {data.hex(' ')}"
        raise DeviceFault(Reason.UNREADABLE, message) from error
    if not math.isfinite(value):
        raise DeviceFault(Reason.NOT_A_NUMBER, "it reports something that is no number")
    return scaled(value, ask.scale, ask.offset)


def scaled(value: float, scale: float, offset: float) -> float:
    """`value` x `scale` + `offset`, without the digits that only the arithmetic made."""
    if isinstance(value, bool) or (scale, offset) == (1, 0):
        return value
    return float(format(value * scale + offset, EXACT))
