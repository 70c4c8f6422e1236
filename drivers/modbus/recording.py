"""A line's raw frames in a file: one exchange a line, as `fieldpost monitor --record` writes them.

Each line is a JSON object of schema `fieldpost.monitor/1`; what is read back are `asked` and `said`
(frames as hex, RTU, ASCII or MBAP: told apart here), `ms` and `fault`. Other fields are for people.

Sources: Modbus over serial line V1.02, 2.5; Modbus messaging on TCP/IP V1.0b, 3.1.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pymodbus.framer import FramerRTU

from drivers.modbus.requests import CRC_BYTES

SCHEMA: Final = "fieldpost.monitor/1"
SHORTEST_RTU: Final = 4  # unit, function, checksum
MBAP: Final = 7  # bytes of the header with the unit


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and what came of it.

    Attributes:
        asked: function code and data.
        said: the same of the answer; None: nothing came, or nothing whole.
        spoiled: what came instead of an answer, as heard.
        ms: how long it took.
    """

    unit: int
    asked: bytes
    said: bytes | None
    spoiled: bytes = b""
    ms: float = 0.0


class NotARecordingError(ValueError):
    """This file is none, or one line of it is none."""


def read(path: Path) -> list[Exchange]:
    """The exchanges of a recording, in their order; what was only overheard in half is left out.

    Raises:
        NotARecordingError: it is none.
    """
    with path.open(encoding="utf-8") as lines:
        return [*_exchanges(lines, path.name)]


def taken_apart(frame: bytes) -> tuple[int, bytes] | None:
    """Unit, and function code with data, of a frame of any kind; None when it is not whole."""
    if frame[:1] == b":" and frame[-2:] == b"\r\n":
        return _ascii(frame)
    if len(frame) > MBAP and frame[2:4] == b"\0\0" and int.from_bytes(frame[4:6]) == len(frame) - 6:
        return frame[6], frame[MBAP:]
    if len(frame) < SHORTEST_RTU:
        return None
    body, sum_ = frame[:-CRC_BYTES], int.from_bytes(frame[-CRC_BYTES:])
    return (body[0], body[1:]) if FramerRTU.compute_CRC(body) == sum_ else None


def _exchanges(lines: Iterable[str], name: str) -> Iterator[Exchange]:
    for number, line in enumerate(lines, 1):
        try:
            told = json.loads(line)
            frames = bytes.fromhex(told["asked"]), bytes.fromhex(told["said"])
            exchange, schema = _exchange(*frames, float(told["ms"] or 0.0)), told["schema"]
        except (ValueError, KeyError, TypeError) as error:
            message = f"line {number} of {name} is no recorded exchange"
            raise NotARecordingError(message) from error
        if schema != SCHEMA:
            message = f"line {number} of {name} is of another kind: {schema}"
            raise NotARecordingError(message)
        if exchange is not None:
            yield exchange


def _exchange(asked: bytes, said: bytes, ms: float) -> Exchange | None:
    question = taken_apart(asked)
    if question is None:
        return None
    unit, pdu = question
    answer = taken_apart(said)
    if answer is None or answer[0] != unit:
        return Exchange(unit, pdu, None, said, ms)
    return Exchange(unit, pdu, answer[1], b"", ms)


def _ascii(frame: bytes) -> tuple[int, bytes] | None:
    try:
        data = bytes.fromhex(frame[1:-2].decode("ascii"))
    except ValueError:
        return None
    return (data[0], data[1:-1]) if len(data) >= SHORTEST_RTU - 1 and not sum(data) % 256 else None
