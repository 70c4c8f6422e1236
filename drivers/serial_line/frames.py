"""Bytes of a serial line become lines: bounded, whatever ends them, whatever is between."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

LONGEST = 1024  # bytes; NMEA 0183 allows 82, loggers write a few hundred
ENDS = b"\r\n"
NOISE = bytes(set(range(32)) - set(b"\t")) + b"\x7f"  # control characters carry no text


class Damage(Enum):
    """Why bytes did not become a line."""

    TOO_LONG = "a line without an end"
    UNFINISHED = "half a line"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text, without its end.

    Attributes:
        first: the first since the port was opened; its beginning may be missing.
    """

    text: str
    first: bool = False


class Framer:
    """Collects bytes until a line is complete; CR, LF and any mixture of them end one."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skipping = False
        self._first = True

    @property
    def unfinished(self) -> bool:
        """Whether bytes of a line are waiting for its end."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[Line | Damage]:
        """The lines that these bytes complete."""
        *complete, rest = data.replace(b"\r", b"\n").split(b"\n")
        for part in complete:
            self._buffer += part
            yield from self._end()
        self._buffer += rest
        if len(self._buffer) > LONGEST:
            yield from self._overflow()

    def give_up(self) -> Iterator[Line | Damage]:
        """Forget an unfinished line: its end will not come."""
        if self._buffer and not self._first:
            yield Damage.UNFINISHED
        self._buffer.clear()

    def _end(self) -> Iterator[Line | Damage]:
        text = _text(bytes(self._buffer))
        too_long = len(self._buffer) > LONGEST
        self._buffer.clear()
        if self._skipping:
            self._skipping = False
        elif too_long:
            yield Damage.TOO_LONG
        elif text:
            yield Line(text, self._first)
        self._first = self._first and not text

    def _overflow(self) -> Iterator[Damage]:
        """Memory stays bounded: what follows is dropped up to the next end of a line."""
        self._buffer.clear()
        if not self._skipping:
            yield Damage.TOO_LONG
        self._skipping = True


def _text(data: bytes) -> str:
    """UTF-8, else Latin-1, in which older instruments write their degree sign."""
    cleaned = data.translate(None, NOISE).strip()
    try:
        return cleaned.decode()
    except UnicodeDecodeError:
        return cleaned.decode("latin-1")
