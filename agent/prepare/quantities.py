"""Numbers of the file: times, sizes, switches. Each function takes text and explains a refusal."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from agent.prepare.refusal import refuse, text

TIME_UNITS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
SIZE_UNITS: Final = {
    "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30
}  # fmt: skip
LONGEST_S: Final = 10 * 365 * 86400.0  # ten years: anything longer is a slip of the keyboard
_TIME_SLIPS: Final = {
    "ms": ("msec", "msecs", "millis", "millisecond", "milliseconds"),
    "s": ("sec", "secs", "second", "seconds"),
    "min": ("m", "mins", "mn", "minute", "minutes"),
    "h": ("hr", "hrs", "hour", "hours"),
    "d": ("day", "days"),
}
_SIZE_SLIPS: Final = {
    "kB": ("k", "kb"), "MB": ("m", "mb"), "GB": ("g", "gb"),
    "KiB": ("ki", "kib"), "MiB": ("mi", "mib"), "GiB": ("gi", "gib"),
}  # fmt: skip
SWITCHES: Final = {
    "yes": True, "true": True, "on": True, "no": False, "false": False, "off": False
}  # fmt: skip
_QUANTITY: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([^\W\d_]*)", re.ASCII)


def seconds(value: Any) -> float:
    """`300ms`, `10s`, `5min`, `1h`, `2d` → seconds."""
    number, unit = _quantity(value, "time", "like 10s, 300ms or 5min")
    if not unit:
        fix = f"write {number}s (seconds), {number}ms or {number}min"
        refuse(f"{number} what? a time needs a unit", fix=fix, code="unit")
    if unit not in TIME_UNITS:
        meant = _meant(unit, _TIME_SLIPS)
        fix = f"write {number}{meant}" if meant else f"write {number}s, {number}ms or {number}min"
        refuse(f"'{unit}' is not a unit of time we know", fix=fix, code="unit")
    result = float(number) * TIME_UNITS[unit]
    if result > LONGEST_S:
        refuse(f"{value} is longer than ten years", fix="is the unit right?", code="range")
    return round(result, 6)


def interval(value: Any) -> float:
    """A time that is not zero."""
    result = seconds(value)
    if result <= 0:
        message = f"{text(value)} is not an interval: it has to be longer than nothing"
        refuse(message, fix="write 1s or more", code="range")
    return result


def size(value: Any) -> int:
    """`200MB`, `2GB`, `512KiB` → bytes."""
    number, unit = _quantity(value, "size", "like 200MB or 2GB")
    if not unit:
        fix = f"write {number}MB or {number}GB"
        refuse(f"{number} what? a size needs a unit", fix=fix, code="unit")
    if unit not in SIZE_UNITS:
        meant = _meant(unit, _SIZE_SLIPS)
        fix = f"write {number}{meant}" if meant else f"write {number}MB or {number}GB"
        refuse(f"'{unit}' is not a unit of size we know", fix=fix, code="unit")
    return round(float(number) * SIZE_UNITS[unit])


def switch(value: Any) -> bool:
    """`yes`/`no`, `true`/`false`, `on`/`off`, in any case."""
    found = SWITCHES.get(text(value).lower())
    if found is None:
        refuse(f"'{text(value)}' is not yes or no", fix="write yes or no", code="switch")
    return found


def whole(value: Any) -> int:
    """A whole number, decimal or `0x` hexadecimal."""
    written = text(value)
    if not re.fullmatch(r"[+-]?\d{1,20}|0x[0-9A-Fa-f]{1,16}", written, re.ASCII):
        refuse(f"'{written}' is not a whole number", fix="write digits only", code="number")
    return int(written, 16 if written.startswith("0x") else 10)


def number(value: Any) -> float:
    """A finite decimal number."""
    written = text(value)
    shape = r"[+-]?(\d{1,20}\.?\d{0,20}|\.\d{1,20})([eE][+-]?\d{1,3})?"
    if not re.fullmatch(shape, written, re.ASCII) or not math.isfinite(float(written)):
        fix = "write it like 12 or 0.5"
        refuse(f"'{written}' is not a number", fix=fix, code="number")
    return float(written)


def margin(value: Any) -> float:
    """A number that is not below zero."""
    found = number(value)
    if found < 0:
        refuse(f"{text(value)} is below zero", fix="write it without the minus", code="range")
    return found


class Band(NamedTuple):
    """How far a value may move before it is worth sending; the larger of both counts.

    Attributes:
        absolute: in the unit of the point.
        share: of the value that was sent last.
    """

    absolute: float
    share: float = 0.0


def band(value: Any) -> Band:
    """`0.5` in the unit of the point, or `2%` of the value that was sent last."""
    written = text(value)
    if not written.endswith("%"):
        return Band(margin(value))
    return Band(0.0, margin(written.removesuffix("%").strip()) / 100)


def rate(value: Any) -> float:
    """`5/s`, `0.5/min`, `100/h` → so much a second."""
    amount, slash, unit = (part.strip() for part in text(value).partition("/"))
    if not slash or unit not in TIME_UNITS:
        fix = "write how much in which time, like 5/s, 0.5/min or 100/h"
        refuse(f"'{text(value)}' does not say how fast", fix=fix, code="rate")
    found = margin(amount)
    if not found:
        refuse("a value that may not change is no value", fix="write more than 0", code="range")
    return found / TIME_UNITS[unit]


@dataclass(frozen=True, slots=True)
class Speed:
    """So many readings, or bytes, a second; one of them."""

    readings: float | None = None
    bytes: float | None = None


def speed(value: Any) -> Speed:
    """`100/s`, `600/min` readings, or `20kB/s`, `1MB/min` on the line."""
    amount, slash, unit = (part.strip() for part in text(value).partition("/"))
    if not slash or unit not in TIME_UNITS:
        fix = "write how much in which time, like 20kB/s (on the line) or 100/s (readings)"
        refuse(f"'{text(value)}' does not say how fast", fix=fix, code="rate")
    in_bytes = amount[-1:].isalpha()
    found = size(amount) if in_bytes else number(amount)
    if found <= 0:
        fix = "leave the line out to send as fast as it goes"
        refuse("nothing would ever be sent", fix=fix, code="range")
    per_s = found / TIME_UNITS[unit]
    return Speed(bytes=per_s) if in_bytes else Speed(readings=per_s)


def between(low: int, high: int, what: str) -> Callable[[Any], int]:
    """A whole number of a range; `what` completes "… is out of range: {what} goes from …"."""

    def check(value: Any) -> int:
        found = whole(value)
        if not low <= found <= high:
            message = f"{found} is out of range: {what} goes from {low} to {high}"
            refuse(message, code="range")
        return found

    return check


def _quantity(value: Any, what: str, example: str) -> tuple[str, str]:
    written = text(value)
    match = _QUANTITY.fullmatch(written)
    if not match:
        fix = f"write a number and a unit, {example}"
        refuse(f"'{written}' is not a {what}", fix=fix, code="unit")
    return match[1], match[2]


def _meant(unit: str, slips: Mapping[str, tuple[str, ...]]) -> str | None:
    lower = unit.lower()
    return next((u for u, wrote in slips.items() if lower == u.lower() or lower in wrote), None)
