"""Which values stand for a device, and how numbers are written."""

import pytest

from agent.cli import words
from agent.cli.values import course_point, key_values
from tests.cli import bakery

METER = {"voltage": "V", "power": "W", "power_l1": "W", "power_l2": "W", "energy_in": "kWh",
         "energy_out": "kWh", "current": "A"}  # fmt: skip


def shown(units: dict[str, str | None], **values: object) -> str:
    return key_values(bakery.device("any", 1.0, units, values))


def test_one_value_of_each_unit_comes_before_a_second_one() -> None:
    values = dict.fromkeys(METER, 12.0)
    assert shown({**METER}, **values) == "12.0 V   12.0 W   12.0 kWh"


def test_values_alike_are_told_apart_by_their_names() -> None:
    units: dict[str, str | None] = {"top": "Cel", "bottom": "Cel", "lid": None}
    assert shown(units, top=4.0, bottom=-18.0, lid=True) == "top 4.0 C   bottom -18.0 C   lid yes"


def test_a_text_that_is_empty_is_not_shown_as_nothing() -> None:
    assert shown({"state": None}, state="") == "state empty text"


def test_the_course_is_of_a_number() -> None:
    device = bakery.device("any", 1.0, {"door": None, "power": "W"}, {"door": True, "power": 3.0})
    assert course_point(device) == "power"
    assert course_point(bakery.device("any", 1.0, {"door": None}, {"door": True})) == ""


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (4310.2, "W", "4.31 kW"),
        (-1763.8, "W", "-1.76 kW"),
        (999.94, "W", "999.9 W"),
        (12_345.6, "W", "12.3 kW"),
        (18422.74, "kWh", "18 422.7 kWh"),
        (4.135, "Cel", "4.1 C"),
        (71.2, "%", "71 %"),
        (2.977, "V", "2.98 V"),
        (7, None, "7"),
        (True, None, "yes"),
        (None, "W", "not measured"),
    ],
)
def test_numbers_are_as_short_as_they_are_useful(
    value: float | None, unit: str | None, text: str
) -> None:
    assert words.value(value, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"), (-1.0, "0 s"), (0.4, "0 s"), (119.0, "119 s"), (120.0, "2 min"),
        (7199.0, "119 min"), (7200.0, "2 h"), (7290.0, "2 h 1 min"), (86_400.0, "1 d"),
        (529_615.0, "6 d 3 h"),
    ],
)  # fmt: skip
def test_ages_have_at_most_two_parts(seconds: float | None, text: str) -> None:
    assert words.age(seconds) == text
