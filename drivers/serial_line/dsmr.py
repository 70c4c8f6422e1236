"""Telegrams of a smart meter's P1 port become values: pure, no I/O, no clock.

Dutch Smart Meter Requirements 5.0.2, P1 companion standard, also spoken in Belgium, Luxembourg and
Sweden: from "/" to "!" and a CRC16 over all of it, lines with an OBIS code (IEC 62056-61) and
values in brackets. Meters before version 4 send no CRC.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from agent.driver import DeviceFault, Reason
from drivers.serial_line.frames import Damage, Line
from drivers.serial_line.plan import Found, Pick, Speaker
from drivers.serial_line.words import number, quoted, scaled

LONGEST: Final = 8192  # bytes; a telegram has 0.5 to 2 kB, more with several meters behind it
POLYNOMIAL: Final = 0xA001  # CRC-16/ARC, x16+x15+x2+1, lowest bit first (5.2 of the standard)
_END: Final = re.compile(rb"![0-9A-F]{0,4}\r?\n")
_LINE: Final = re.compile(r"(\d+-\d+:\d+\.\d+\.\d+)((?:\([^()]*\))+)")
_VALUE: Final = re.compile(r"\(([^()]*)\)")
# unit in the telegram, unit of the point → scale
UNITS: Final[Mapping[tuple[str, str], float]] = {
    ("kW", "W"): 1000.0,
    ("kWh", "Wh"): 1000.0,
    ("kvar", "var"): 1000.0,
    ("GJ", "MJ"): 1000.0,
    ("m3", "L"): 1000.0,
}


class Telegrams:
    """Cuts telegrams out of the bytes of a P1 port."""

    def __init__(self) -> None:
        self._buffer = b""
        self._first = True

    @property
    def unfinished(self) -> bool:
        """Whether a telegram has begun."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[Line | Damage]:
        """The telegrams that these bytes complete."""
        self._buffer += data
        while end := _END.search(self._buffer):
            whole, self._buffer = self._buffer[: end.end()], self._buffer[end.end() :]
            start = whole.rfind(b"/")
            if start >= 0:
                yield Line(whole[start:].decode("latin-1"))
            elif not self._first:
                yield Damage.UNFINISHED
            self._first = False
        if len(self._buffer) > LONGEST:
            self._buffer = b""
            yield Damage.TOO_LONG

    def give_up(self) -> Iterator[Line | Damage]:
        """Forget an unfinished telegram; its end will not come."""
        if b"/" in self._buffer:
            yield Damage.UNFINISHED
        self._buffer = b""


class Dsmr:
    """Reads the telegrams of one meter.

    Args:
        speaker: its points, by OBIS code.
    """

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker

    def claims(self, line: str) -> bool:
        """Whether this is a telegram."""
        return line.startswith("/")

    def inspect(self, line: str) -> None:
        """Nothing else is on such a line."""

    def decode(self, line: str) -> Iterator[tuple[Pick, Found | DeviceFault]]:
        """The points of one telegram.

        Raises:
            DeviceFault: DAMAGED, its checksum is wrong or missing.
        """
        self._check(line)
        lines = [_LINE.fullmatch(one.strip()) for one in line.splitlines()]
        found = {match[1]: match[2] for match in lines if match}
        for pick in self._speaker.picks:
            if pick.source in found:
                yield pick, _value(found[pick.source], pick)

    def _check(self, telegram: str) -> None:
        body, _, checksum = telegram.rpartition("!")
        written = checksum.strip()
        if not written and not self._speaker.checksum:
            return
        if written != f"{crc16(f'{body}!'.encode('latin-1')):04X}":
            head = quoted(telegram.partition("\r")[0])
            message = f"damaged: the checksum of telegram {head} is wrong or missing"
            raise DeviceFault(Reason.DAMAGED, message)


def crc16(data: bytes) -> int:
    """CRC-16/ARC: start 0, lowest bit first, not inverted."""
    register = 0
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (POLYNOMIAL if register & 1 else 0)
    return register


def _value(brackets: str, pick: Pick) -> Found | DeviceFault:
    """The last bracket holds the value; those of other meters have their time in front of it."""
    raw = _VALUE.findall(brackets)[-1]
    if pick.text:
        return Found(raw, raw)
    digits, _, unit = raw.partition("*")
    try:
        value = number(digits)
    except DeviceFault as fault:
        return fault
    if unit not in ("", pick.unit):
        scale = UNITS.get((unit, pick.unit or ""))
        if scale is None:
            message = f"the unit '{unit}' of {pick.source} cannot be turned into {pick.unit}"
            return DeviceFault(Reason.UNREADABLE, message)
        value = scaled(value, scale, 0)
    return Found(scaled(value, pick.scale, pick.offset), raw)
