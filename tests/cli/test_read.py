"""`fieldpost read`, through the daemon."""

import pytest

from agent.errors import DeviceNotFoundError, NoAnswerError
from tests.cli import bakery
from tests.cli.conftest import Fieldpost
from tests.cli.twin import Twin

ENERGY = {
    "source": "input 72 (30073)", "raw": "4547 6333", "unit": "kWh", "ms": 17.0,
    "request": "02 04 00 48 00 02 F1 EE", "answer": "02 04 04 45 47 63 33 E9 6B",
}  # fmt: skip
READINGS = [bakery.reading(), bakery.reading("energy_in", 3190.2, **ENERGY)]


@pytest.fixture(autouse=True)
def meter(twin: Twin) -> None:
    twin.answers["read"] = {"readings": READINGS}


def test_every_point_has_a_line(fieldpost: Fieldpost, twin: Twin) -> None:
    said = fieldpost("read", "oven-meter")
    assert said.out == (
        "power      2104.3 W    good  18 ms\n"
        "energy_in  3190.2 kWh  good  17 ms\n"
    )  # fmt: skip
    assert (said.code, twin.asked) == (0, [("read", {"device": "oven-meter"})])


def test_raw_shows_registers_and_frames(fieldpost: Fieldpost) -> None:
    assert fieldpost("read", "oven-meter", "--raw").out == (
        "power      2104.3 W    good  input 12 (30013)  4503 84CD  float32 ABCD  18 ms\n"
        "energy_in  3190.2 kWh  good  input 72 (30073)  4547 6333  float32 ABCD  17 ms\n"
        "   -> 02 04 00 0C 00 02 B1 FB      <- 02 04 04 45 03 84 CD 8F 1D\n"
        "   -> 02 04 00 48 00 02 F1 EE      <- 02 04 04 45 47 63 33 E9 6B\n"
    )


def test_programs_get_one_line_per_value(fieldpost: Fieldpost, twin: Twin) -> None:
    said = fieldpost("read", "oven-meter.power", "--json")
    assert said.lines[0] == {
        "schema": "fieldpost.read/1", "device": "oven-meter", "point": "power", "value": 2104.3,
        "unit": "W", "quality": "good", "time": "2026-11-23T14:46:57.050Z", "ms": 18.2,
    }  # fmt: skip
    assert twin.asked == [("read", {"device": "oven-meter", "point": "power"})]


def test_a_value_that_is_not_there_is_not_shown_as_empty(fieldpost: Fieldpost, twin: Twin) -> None:
    nothing = bakery.reading(value=None, quality="no-value")
    door = bakery.reading("door", value=True, unit=None)
    twin.answers["read"] = {"readings": [nothing, door]}
    assert fieldpost("read", "oven-meter").out == (
        "power  no value  no-value  18 ms\n"
        "door   yes       good      18 ms\n"
    )  # fmt: skip


def test_a_number_of_rounds(fieldpost: Fieldpost, twin: Twin) -> None:
    said = fieldpost("read", "oven-meter.power", "--every", "10ms", "--count", "3", "--json")
    assert (len(said.lines), len(twin.asked)) == (6, 3)


def test_rounds_end_with_their_time(fieldpost: Fieldpost, twin: Twin) -> None:
    assert fieldpost("read", "oven-meter", "--every", "40ms", "--for", "100ms").code == 0
    assert 2 <= len(twin.asked) <= 5


def test_a_silent_device_is_exit_4(fieldpost: Fieldpost, twin: Twin) -> None:
    twin.answers["read"] = NoAnswerError(
        "oven-meter: no answer at address 2 on rs485.", action="Look at this meter"
    )
    said = fieldpost("read", "oven-meter")
    assert (said.code, said.out) == (4, "")
    assert said.err == "oven-meter: no answer at address 2 on rs485.\n  Look at this meter\n"


def test_rounds_go_on_when_one_fails(fieldpost: Fieldpost, twin: Twin) -> None:
    twin.answers["read"] = NoAnswerError("oven-meter: no answer at address 2 on rs485.")
    said = fieldpost("read", "oven-meter", "--every", "10ms", "--count", "3")
    assert said.code == 4
    assert said.err.count("no answer at address 2") == 3


def test_a_device_that_does_not_exist_is_a_usage_error(fieldpost: Fieldpost, twin: Twin) -> None:
    twin.answers["read"] = DeviceNotFoundError("There is no device 'oven'.")
    said = fieldpost("read", "oven", "--json")
    assert said.code == 2
    assert '"schema":"fieldpost.error/1","code":"DEVICE_NOT_FOUND"' in said.err


@pytest.mark.parametrize("time", ["10", "0s", "soon", "5 weeks"])
def test_a_time_needs_its_unit(fieldpost: Fieldpost, time: str) -> None:
    said = fieldpost("read", "oven-meter", "--every", time)
    assert said.code == 2
    assert "time" in said.err
