"""Frames of others on a serial line, told apart by their checksums, and who answers whom. Pure.

Silence tells RTU frames apart for who sees every byte as it comes; behind an adapter's buffers
it cannot be seen. Lengths follow from the function and the checksum proves them.

Source: Modbus application protocol V1.1b3, section 6; Modbus over serial line V1.02, 2.5.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from pymodbus.framer import FramerRTU

from drivers.modbus.requests import CRC_BYTES, REFUSAL

FIXED: Final = frozenset({1, 2, 3, 4, 5, 6})  # questions of eight bytes with their checksum
COUNTED: Final = frozenset({1, 2, 3, 4, 17})  # answers that say how many bytes follow
ECHOED: Final = frozenset({5, 6, 15, 16})  # answers of eight bytes with their checksum
LONGEST: Final = 256  # bytes of an RTU frame
READ, WRITE, MASKED, REPORTED, ASKED_WHO = 6, 7, 8, 2, 5  # bytes with the unit, without checksum
REFUSED: Final = 3
HEAD: Final = 2  # unit and function


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame.

    Attributes:
        raw: as heard; for noise, what is no frame.
        question: it is one, or an answer.
        noise: nothing that is a frame.
    """

    unit: int
    pdu: bytes
    raw: bytes
    question: bool
    noise: bool = False


class Sniffer(Protocol):
    """Takes what is heard, gives frames."""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now."""
        ...

    def quiet(self) -> Iterator[Frame]:
        """Nothing more was said for a while: what is left is no frame."""
        ...


class RtuSniffer:
    """RTU frames."""

    def __init__(self) -> None:
        self._heard = bytearray()
        self._noise = bytearray()
        self._last: Frame | None = None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now."""
        self._heard += data
        yield from self._frames(at_the_end=False)

    def quiet(self) -> Iterator[Frame]:
        """What is left is noise, or frames behind noise."""
        yield from self._frames(at_the_end=True)
        if self._noise:
            yield self._spoiled()

    def _frames(self, *, at_the_end: bool) -> Iterator[Frame]:
        while self._heard:
            found = self._found()
            if found is not None:
                if self._noise:
                    yield self._spoiled()
                del self._heard[: len(found.raw)]
                self._last = found
                yield found
            elif at_the_end or len(self._heard) > LONGEST:
                self._noise.append(self._heard.pop(0))
            else:
                return

    def _found(self) -> Frame | None:
        """A frame that begins with what is heard; an answer first where one is due."""
        heard, last = bytes(self._heard), self._last
        due = last is not None and last.question and heard[:HEAD] == last.raw[:HEAD]
        for question in (False, True) if due else (True, False):
            length = question_length(heard) if question else answer_length(heard)
            raw = heard[: (length or 0) + CRC_BYTES]
            if length and len(raw) == length + CRC_BYTES and _is_whole(raw):
                return Frame(raw[0], raw[1:-CRC_BYTES], raw, question)
        return None

    def _spoiled(self) -> Frame:
        raw = bytes(self._noise)
        self._noise.clear()
        return Frame(0, b"", raw, question=False, noise=True)


class AsciiSniffer:
    """Frames between a colon and CR LF."""

    def __init__(self) -> None:
        self._heard = bytearray()
        self._last: Frame | None = None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now."""
        self._heard += data
        while (end := self._heard.find(b"\r\n")) >= 0:
            raw = bytes(self._heard[: end + 2])
            del self._heard[: end + 2]
            frame = self._frame(raw)
            self._last = None if frame.noise else frame
            yield frame

    def quiet(self) -> Iterator[Frame]:
        """What is left is noise."""
        if self._heard:
            raw = bytes(self._heard)
            self._heard.clear()
            yield Frame(0, b"", raw, question=False, noise=True)

    def _frame(self, raw: bytes) -> Frame:
        try:
            data = bytes.fromhex(raw.rpartition(b":")[2].strip().decode("ascii"))
        except ValueError:
            data = b""
        if len(data) <= HEAD or sum(data) % 256:
            return Frame(0, b"", raw, question=False, noise=True)
        data, last = data[:-1], self._last
        due = last is not None and last.question and last.unit == data[0]
        question = question_length(data) == len(data)
        if question and due and answer_length(data) == len(data):
            question = False
        return Frame(data[0], data[1:], raw, question)


def question_length(heard: bytes) -> int | None:
    """Bytes of a question with its unit and without checksum; None while nobody can know."""
    function = heard[1] if len(heard) > 1 else 0
    if function in {15, 16} and len(heard) >= WRITE:
        return WRITE + heard[WRITE - 1]
    known = {22: MASKED, 17: REPORTED, 43: ASKED_WHO} | dict.fromkeys(FIXED, READ)
    return known.get(function)


def answer_length(heard: bytes) -> int | None:
    """Bytes of an answer with its unit and without checksum; None while nobody can know."""
    function = heard[1] if len(heard) > HEAD else 0
    if function & REFUSAL:
        return REFUSED
    if function in COUNTED:
        return REFUSED + heard[HEAD]
    if function == 43:  # noqa: PLR2004 -- who are you: each part says how long it is
        return _told(heard)
    known = {22: MASKED} | dict.fromkeys(ECHOED, READ)
    return known.get(function)


def _told(heard: bytes) -> int | None:
    """Length of a device identification (6.21): seven bytes, a count, then id, length, text."""
    at, parts = 8, heard[7] if len(heard) > 7 else 0  # noqa: PLR2004 -- where the count stands
    for _ in range(parts):
        if len(heard) < at + 2:
            return None
        at += 2 + heard[at + 1]
    return at if parts else None


def _is_whole(raw: bytes) -> bool:
    return int.from_bytes(raw[-CRC_BYTES:]) == FramerRTU.compute_CRC(raw[:-CRC_BYTES])
