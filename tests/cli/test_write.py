"""`fieldpost write`: asked for, told once, and what the device shows afterwards."""

import pytest

from agent.clock import SystemClock, from_iso
from agent.errors import NoAnswerError, NotWritableError, UnavailableError, ValidationError
from tests.cli import bakery
from tests.cli.conftest import Fieldpost
from tests.cli.twin import Twin


@pytest.fixture(autouse=True)
def meter(twin: Twin) -> None:
    twin.answers["ping"] = {"version": "1", "pid": 1}
    twin.answers["write"] = {"reading": bakery.reading("setpoint", 4.5, unit="Cel")}


def test_what_the_device_shows_afterwards_is_printed(fieldpost: Fieldpost, twin: Twin) -> None:
    before_ns = SystemClock().now().wall_ns
    said = fieldpost("write", "cold-room.setpoint", "4.5", "--yes")
    assert (said.code, said.out) == (0, "cold-room: setpoint  4.5 C  good  18 ms\n")
    asked = twin.asked[-1][1]
    assert from_iso(asked.pop("expires")) - before_ns <= 15 * 10**9
    assert asked == {"device": "cold-room", "point": "setpoint", "value": "4.5"}


def test_a_negative_value_is_a_value(fieldpost: Fieldpost, twin: Twin) -> None:
    assert fieldpost("write", "cold-room.setpoint", "-18", "--yes").code == 0
    assert twin.asked[-1][1]["value"] == "-18"


def test_programs_get_the_reading_with_its_frames(fieldpost: Fieldpost) -> None:
    said = fieldpost("write", "cold-room.setpoint", "4.5", "--yes", "--json")
    assert said.json["schema"] == "fieldpost.write/1"
    assert (said.json["device"], said.json["point"], said.json["value"]) == (
        "cold-room", "setpoint", 4.5,
    )  # fmt: skip


def test_where_nobody_can_answer_nothing_is_written(fieldpost: Fieldpost, twin: Twin) -> None:
    said = fieldpost("write", "cold-room.setpoint", "4.5")
    assert said.code == 2
    assert "Add --yes" in said.err
    assert twin.asked == []


def test_a_device_alone_is_not_enough(fieldpost: Fieldpost, twin: Twin) -> None:
    said = fieldpost("write", "cold-room", "4.5", "--yes")
    assert (said.code, twin.asked) == (2, [])
    assert "fieldpost write DEVICE.POINT VALUE" in said.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotWritableError("cold-room.power may not be written"), 2),
        (ValidationError("value", "out of range", "setpoint: 99 Cel is outside 2 … 8"), 2),
        (NoAnswerError("cold-room: was told setpoint = 4.5 and shows 7.0"), 4),
    ],
)
def test_what_the_daemon_refuses_is_said_with_its_exit_code(
    fieldpost: Fieldpost, twin: Twin, error: NoAnswerError, code: int
) -> None:
    twin.answers["write"] = error
    said = fieldpost("write", "cold-room.setpoint", "4.5", "--yes")
    assert (said.code, said.out) == (code, "")
    assert error.message in said.err


def test_silence_in_the_middle_is_not_called_a_failure_and_not_repeated(
    fieldpost: Fieldpost, twin: Twin
) -> None:
    twin.answers["write"] = UnavailableError("The fieldpost daemon does not answer.")
    said = fieldpost("write", "cold-room.setpoint", "4.5", "--yes")
    assert said.code == 3
    assert "may or may not have been written" in said.err
    assert "fieldpost read cold-room.setpoint" in said.err
    assert [verb for verb, _ in twin.asked].count("write") == 1


def test_without_a_daemon_nothing_was_written(fieldpost: Fieldpost, twin: Twin) -> None:
    twin.path.unlink()
    said = fieldpost("write", "cold-room.setpoint", "4.5", "--yes")
    assert said.code == 3
    assert "is not running" in said.err
