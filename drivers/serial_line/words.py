"""Texts of a line: turned into numbers, and shown to a person."""

import math
import re
from typing import Final

from agent.driver import DeviceFault, Reason

SHOWN: Final = 60  # characters of a line in a message
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_SIGN: Final = re.compile(r"^([+-])\s+")
EXACT: Final = ".9g"  # significant digits; more is an artefact of the conversion


def number(raw: str) -> float | int:
    """A decimal number; whole ones stay whole.

    Raises:
        DeviceFault: NOT_A_NUMBER, UNREADABLE.
    """
    # scales write "+  12.3", instruments set to German or French 21,5
    text = _SIGN.sub(r"\1", raw.strip()).replace(",", ".", 1)
    if not _NUMBER.fullmatch(text):
        if text.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
            raise DeviceFault(Reason.NOT_A_NUMBER, f"it says {quoted(raw)}, which is no number")
        raise DeviceFault(Reason.UNREADABLE, f"{quoted(raw)} is not a number")
    value = float(text)
    if not math.isfinite(value):
        raise DeviceFault(Reason.NOT_A_NUMBER, f"{quoted(raw)} is too large a number")
    return int(text) if text.lstrip("+-").isdigit() and abs(value) < 2**53 else value


def scaled(value: float, scale: float, offset: float) -> float:
    """`value` x `scale` + `offset`, without the digits that only the arithmetic made."""
    if (scale, offset) == (1, 0):
        return value
    return float(format(value * scale + offset, EXACT))


def quoted(line: str) -> str:
    """A line as it may stand in a message: short, printable, in quotes."""
    plain = "".join(c if c.isprintable() else "?" for c in line[:SHOWN])
    return f"'{plain}{'…' if len(line) > SHOWN else ''}'"
