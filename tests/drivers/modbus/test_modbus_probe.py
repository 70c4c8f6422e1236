"""Guessing how registers mean what a display shows."""

import struct

import pytest

from agent.errors import ValidationError
from drivers.modbus.plan import Table
from drivers.modbus.probe import guesses, places


@pytest.mark.parametrize(
    ("words", "expect", "written"),
    [
        (struct.pack(">f", 230.1), 230.1, "{read: input 12, as: float32}"),
        (bytes.fromhex("199A4366"), 230.1, "{read: input 12, as: float32, order: CDAB}"),
        (bytes.fromhex("66439A19"), 230.1, "{read: input 12, as: float32, order: BADC}"),
        (struct.pack(">H", 2301), 230.1, "{read: input 12, as: uint16, scale: 0.1}"),
        (struct.pack(">h", -53), -5.3, "{read: input 12, as: int16, scale: 0.1}"),
        (struct.pack(">I", 1842270), 18422.7, "{read: input 12, as: int32, scale: 0.01}"),
        (
            bytes.fromhex("1C5E001C"),
            18422.7,
            "{read: input 12, as: int32, order: CDAB, scale: 0.01}",
        ),
        (struct.pack(">Q", 184227000), 18422.7, "{read: input 12, as: uint64, scale: 0.0001}"),
    ],
)
def test_the_plainest_guess_comes_first(words: bytes, expect: float, written: str) -> None:
    found = [g.written for g in guesses(words, (Table.INPUT, 12), expect, near=12)]
    if "0.0001" in written:
        assert written not in found  # no meter scales so
    else:
        assert found[0] == written


def test_an_address_counted_from_one_is_found_one_before() -> None:
    words = struct.pack(">ff", 230.1, 1.5)
    found = guesses(words, (Table.HOLDING, 99), 230.1, near=100)
    assert found[0].written == "{read: holding 99, as: float32}"


def test_what_no_register_says_is_no_guess() -> None:
    assert guesses(bytes(8), (Table.INPUT, 0), 230.1, near=0) == []


@pytest.mark.parametrize("where", ["99999", "holding 65536", "365537000", "coil 1", "thirty"])
def test_what_is_no_register_is_said_to_be_none(where: str) -> None:
    with pytest.raises(ValidationError, match="is no register"):
        places(where)


def test_a_number_of_a_manual_that_cannot_be_one_is_taken_as_an_address() -> None:
    assert places("30000") == [(Table.INPUT, 30000), (Table.HOLDING, 30000)]
    assert places("465536") == [(Table.HOLDING, 65535)]
