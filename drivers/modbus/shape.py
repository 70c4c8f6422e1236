"""What `as:` in a profile means: how many registers, and which struct code reads them. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from drivers.modbus import moments

NUMBERS: Final = {
    "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q",
    "float16": "e", "float32": "f", "float64": "d",
}  # fmt: skip
WIDTH: Final = {"h": 1, "H": 1, "e": 1, "i": 2, "I": 2, "f": 2, "q": 4, "Q": 4, "d": 4}
BCD: Final = {4: "H", 8: "I", 16: "Q"}  # by digits
SIGNED: Final = {"h": 16, "i": 32, "q": 64}
FLOATS: Final = frozenset("efd")
LONGEST_TEXT: Final = 250  # bytes: what one request carries
DIGITS_A_REGISTER: Final = 4
REGISTER_BITS: Final = 16
BYTE: Final = 8
_CALL: Final = re.compile(r"(text|bcd|decimal|bit|bits)\((\d{1,3})(?:\s*-\s*(\d{1,3}))?\)")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a point's bytes are read.

    Attributes:
        code: for `struct`: one letter, or `8s`; empty for a single bit of a table of bits.
        kind, low_bit, bits: as in `plan.Conversion`.
    """

    code: str
    registers: int = 1
    kind: str = "number"
    low_bit: int = 0
    bits: int = 0


def shape(written: str) -> Shape | None:
    """`float32`, `text(16)`, `bcd(8)`, `bit(3)`, `bits(8-15)` → how to read it.

    Returns:
        None when it is none of them.
    """
    plain = _PLAIN.get(written)
    match = _CALL.fullmatch(written)
    if plain is not None or match is None:
        return plain
    name, first = match[1], int(match[2])
    if name == "bits":
        return _bits(first, int(match[3] or first))
    return None if match[3] else _sized(name, first)


def _sized(name: str, size: int) -> Shape | None:
    if name == "bit":
        return _bits(size, size, "flag")
    if name == "bcd":
        code = BCD.get(size)
        return Shape(code, WIDTH[code], "bcd") if code else None
    if name == "decimal":
        size = size // 2 if size % DIGITS_A_REGISTER == 0 else 0
    registers = (size + 1) // 2
    return Shape(f"{2 * registers}s", registers, name) if 0 < size <= LONGEST_TEXT else None


def _bits(low: int, high: int, kind: str = "bits") -> Shape | None:
    """A range of bits, of one register or of two where it reaches over bit 15."""
    if not low <= high < 2 * REGISTER_BITS:
        return None
    code = "H" if high < REGISTER_BITS else "I"
    return Shape(code, WIDTH[code], kind, low, high - low + 1)


_PLAIN: Final = {
    **{name: Shape(code, WIDTH[code]) for name, code in NUMBERS.items()},
    "bits": Shape("H"),
    "bcd": Shape("H", kind="bcd"),
    "flags": Shape("H", kind="flags"),
    "flags(32)": Shape("I", 2, kind="flags"),
    "uint8h": Shape("H", kind="bits", low_bit=BYTE, bits=BYTE),
    "uint8l": Shape("H", kind="bits", bits=BYTE),
    "int8h": Shape("H", kind="signed", low_bit=BYTE, bits=BYTE),
    "int8l": Shape("H", kind="signed", bits=BYTE),
    **{f"time({n})": Shape(f"{b}s", b // 2, f"time-{n}") for n, b in moments.BYTES.items()},
    "time(unix)": Shape("I", 2, "time-unix"),  # a number, so it has an order of words
}
