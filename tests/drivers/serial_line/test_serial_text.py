"""Lines are taken apart by a pattern or by columns."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.driver import DeviceFault, Reason, Value
from drivers.serial_line.plan import Found, Pick, Speaker
from drivers.serial_line.text import Text
from tests.drivers.serial_line.lines import ROOM

LOGGER = Speaker(
    "logger",
    [Pick("heat", "t", scale=0.1), Pick("state", "s", text=True)],
    delimiter=";",
    columns=["-", "t", "s"],
)


def values(speaker: Speaker, line: str) -> dict[str, Value]:
    found = Text(speaker).decode(line)
    return {pick.point: one.value for pick, one in found if isinstance(one, Found)}


def test_named_groups_become_points() -> None:
    assert values(ROOM, "T=-3.5 H=48") == {"temperature": -3.5, "humidity": 48}


def test_columns_become_points_and_a_dash_is_skipped() -> None:
    assert values(LOGGER, "09:45;215;door open") == {"heat": 21.5, "state": "door open"}


def test_scaling_does_not_invent_digits() -> None:
    assert values(replace(LOGGER, picks=[Pick("heat", "t", scale=0.1)]), "x;3;y") == {"heat": 0.3}


@pytest.mark.parametrize("line", ["T=21", "garbage", "T=1 H=2 and more"])
def test_a_line_that_does_not_fit_is_unreadable(line: str) -> None:
    with pytest.raises(DeviceFault, match="does not fit") as caught:
        list(Text(ROOM).decode(line))
    assert caught.value.reason is Reason.UNREADABLE


def test_a_wrong_number_of_columns_is_unreadable() -> None:
    with pytest.raises(DeviceFault, match="does not fit"):
        list(Text(LOGGER).decode("09:45;215"))


def test_a_prefix_keeps_two_devices_apart() -> None:
    inside = Text(replace(ROOM, prefix="IN "))
    assert inside.claims("IN T=1 H=2")
    assert not inside.claims("OUT T=1 H=2")
    assert values(replace(ROOM, prefix="IN "), "IN T=1 H=2") == {"temperature": 1, "humidity": 2}


@pytest.mark.parametrize(
    ("written", "value"),
    [("21,5", 21.5), ("+  12.345", 12.345), ("1e3", 1000.0), ("007", 7), (".5", 0.5)],
)
def test_numbers_are_read_as_instruments_write_them(written: str, value: float) -> None:
    speaker = Speaker("scale", [Pick("weight", "w")], pattern=r"(?P<w>.+) kg")
    assert values(speaker, f"{written} kg") == {"weight": value}


@pytest.mark.parametrize("written", ["nan", "-inf", "1e999"])
def test_what_is_not_finite_is_a_fault_of_the_point_alone(written: str) -> None:
    found = dict(Text(ROOM).decode(f"T={written} H=48"))
    fault = next(one for one in found.values() if isinstance(one, DeviceFault))
    assert fault.reason is Reason.NOT_A_NUMBER
    assert values(ROOM, f"T={written} H=48") == {"humidity": 48}


@given(st.text(max_size=200))
def test_noise_never_raises_anything_but_a_fault(noise: str) -> None:
    for speaker in (ROOM, LOGGER):
        with contextlib.suppress(DeviceFault):
            list(Text(speaker).decode(noise))
