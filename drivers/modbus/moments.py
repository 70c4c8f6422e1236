"""Dates and times as meters keep them, to text. Pure.

A meter's clock has no time zone that anybody could know, so the text has none either; seconds since
1970 are UTC and say so. What is no date (all zero, month 13) is no value of this kind.

Sources: IEC 60870-5-4 CP56Time2a (Schneider, Siemens); registers of year, month, day, hour, minute,
second (Janitza, Carlo Gavazzi); pairs of bytes in the same order (Eastron, Kamstrup).
"""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from typing import Final

CENTURY: Final = 2000  # of a year that is written with two digits


def unix(raw: bytes) -> str:
    """Seconds since 1970-01-01 UTC, four bytes."""
    seconds = int.from_bytes(raw)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else ""


def words(raw: bytes) -> str:
    """Six registers: year, month, day, hour, minute, second."""
    return _written(*(int.from_bytes(raw[i : i + 2]) for i in range(0, 12, 2)))


def pairs(raw: bytes) -> str:
    """Three registers of two bytes: year and month, day and hour, minute and second."""
    return _written(*raw[:6])


def cp56(raw: bytes) -> str:
    """Four registers: year; month and day; hour and minute; milliseconds."""
    year, minute_flags = raw[1] & 0x7F, raw[5]
    milliseconds = int.from_bytes(raw[6:8])
    minute, second = minute_flags & 0x3F, milliseconds // 1000
    return _written(year, raw[2] & 0x0F, raw[3] & 0x1F, raw[4] & 0x1F, minute, second)


BYTES: Final = {"words": 12, "pairs": 6, "cp56": 8}
READERS: Final[Mapping[str, Callable[[bytes], str]]] = {
    "time-unix": unix,
    "time-words": words,
    "time-pairs": pairs,
    "time-cp56": cp56,
}


def _written(year: int, month: int, day: int, hour: int, minute: int, second: int) -> str:  # noqa: PLR0913, PLR0917 -- a date has six numbers
    """ISO 8601 without a zone.

    Raises:
        ValueError: there is no such date.
    """
    if not month and not day:
        return ""
    whole = year + CENTURY if year < 100 else year  # noqa: PLR2004 -- two digits
    moment = dt.datetime(whole, month, day, hour, minute, second, tzinfo=dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
