"""Frames of others on a serial line: cut anywhere, among noise, damaged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.sniffer import AsciiSniffer, Frame, RtuSniffer, Sniffer
from tests.drivers.modbus.plant import ascii_frame, rtu_frame

ASKED = b"\x02\x04\x00\x0c\x00\x02"
SAID = b"\x02\x04\x04\x45\x03\x84\xcd"
TALK = [  # unit and PDU, question?
    (ASKED, True),
    (SAID, False),
    (b"\x05\x06\x00\x01\x00\x03", True),
    (b"\x05\x06\x00\x01\x00\x03", False),  # an answer that repeats its question
    (b"\x05\x03\x00\x00\x00\x01", True),
    (b"\x05\x83\x02", False),
    (b"\x05\x10\x00\x01\x00\x02\x04\x00\x0a\x01\x02", True),
    (b"\x05\x10\x00\x01\x00\x02", False),
    (b"\x07\x2b\x0e\x01\x00", True),
    (b"\x07\x2b\x0e\x01\x01\x00\x00\x02\x00\x02ab\x01\x03xyz", False),
    (b"\x07\x01\x00\x00\x00\x25", True),
    (b"\x07\x01\x05\xcd\x6b\xb2\x0e\x1b", False),
]


def told(sniffer: Sniffer, pieces: list[bytes]) -> list[Frame]:
    frames = [frame for piece in pieces for frame in sniffer.feed(piece)]
    return [*frames, *sniffer.quiet()]


@given(st.integers(1, 30))
def test_frames_are_found_however_an_adapter_cuts_them(size: int) -> None:
    stream = b"".join(rtu_frame(body) for body, _ in TALK)
    pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
    frames = told(RtuSniffer(), pieces)
    assert [(bytes([f.unit]) + f.pdu, f.question) for f in frames] == TALK


def test_frames_behind_noise_are_found_and_the_noise_is_told() -> None:
    spoiled = bytearray(rtu_frame(SAID))
    spoiled[4] ^= 0x10
    stream = b"\xff\x00" + rtu_frame(ASKED) + bytes(spoiled) + rtu_frame(ASKED)
    frames = told(RtuSniffer(), [stream])
    assert [(f.noise, f.raw) for f in frames] == [
        (True, b"\xff\x00"),
        (False, rtu_frame(ASKED)),
        (True, bytes(spoiled)),
        (False, rtu_frame(ASKED)),
    ]


@given(st.binary(max_size=600))
def test_whatever_is_heard_is_told_once(noise: bytes) -> None:
    assert b"".join(f.raw for f in told(RtuSniffer(), [noise])) == noise


@pytest.mark.parametrize("size", [1, 5, 200])
def test_ascii_frames_are_told_apart_by_their_colons(size: int) -> None:
    stream = b"".join(ascii_frame(body) for body, _ in TALK) + b":0A0Z\r\nrest"
    pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
    *frames, bad, rest = told(AsciiSniffer(), pieces)
    assert [(bytes([f.unit]) + f.pdu, f.question) for f in frames] == TALK
    assert (bad.noise, bad.raw) == (True, b":0A0Z\r\n")
    assert (rest.noise, rest.raw) == (True, b"rest")
