"""Bytes become lines, whatever they are cut into."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial_line.frames import LONGEST, Damage, Framer, Line


def texts(framer: Framer, *pieces: bytes) -> list[str]:
    found = [one for piece in pieces for one in framer.feed(piece)]
    return [one.text for one in found if isinstance(one, Line)]


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r", b"\n\r", b"\r\r\n"])
def test_every_line_end_in_use_ends_a_line(end: bytes) -> None:
    assert texts(Framer(), b"one" + end + b"two" + end) == ["one", "two"]


@given(st.lists(st.sampled_from(["T=1", "T=22", "x" * 80]), min_size=1), st.data())
def test_it_does_not_matter_how_the_bytes_are_cut(lines: list[str], data: st.DataObject) -> None:
    whole = "".join(f"{line}\r\n" for line in lines).encode()
    cut = data.draw(st.integers(0, len(whole)))
    assert texts(Framer(), whole[:cut], whole[cut:]) == lines


@given(st.lists(st.binary(max_size=3000), max_size=5))
def test_noise_neither_raises_nor_fills_the_memory(pieces: list[bytes]) -> None:
    framer = Framer()
    for piece in pieces:
        for found in framer.feed(piece):
            assert isinstance(found, Damage) or len(found.text) <= LONGEST


def test_a_line_without_an_end_is_reported_once_and_the_next_one_is_read() -> None:
    framer = Framer()
    found = [one for piece in [b"x" * 700] * 5 for one in framer.feed(piece)]
    assert found == [Damage.TOO_LONG]
    assert texts(framer, b"tail\nT=1\n") == ["T=1"]


def test_only_the_first_line_is_marked_as_perhaps_cut_off() -> None:
    found = list(Framer().feed(b"ail\r\nT=1\r\nT=2\r\n"))
    assert [one.first for one in found if isinstance(one, Line)] == [True, False, False]


def test_control_characters_around_a_line_do_not_reach_its_text() -> None:
    assert texts(Framer(), b"\x02\x00T=1\x03\r\n") == ["T=1"]


def test_a_degree_sign_is_read_in_both_encodings_in_use() -> None:
    assert texts(Framer(), "T=1°C\n".encode(), "T=2°C\n".encode("latin-1")) == ["T=1°C", "T=2°C"]


def test_half_a_line_can_be_given_up_and_is_never_guessed() -> None:
    framer = Framer()
    assert texts(framer, b"T=1\nT=2") == ["T=1"]
    assert framer.unfinished
    assert list(framer.give_up()) == [Damage.UNFINISHED]
    assert texts(framer, b"5\n") == ["5"]
