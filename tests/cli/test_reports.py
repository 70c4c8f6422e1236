"""`fieldpost doctor`, `log`, `profiles`, `version`."""

import copy
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.plan import Json
from tests.cli import bakery
from tests.cli.conftest import Fieldpost
from tests.cli.twin import Twin

DOCTOR = """\
Configuration  [ok]    version 41, 8 devices, applied 2026-11-21 09:12
Wires          [ok]    rs485: modbus-rtu at /dev/serial/by-id/usb-FTDI
               [warn]  inverter: no answer from 192.168.1.40:502.
Bluetooth      [warn]  vibration: heard, but it refuses connections. Another
                       program or phone may be connected to this sensor
Devices        [ok]    6 of 8 say what they should
Cloud          [ok]    platform: acknowledged 21 s ago, 0 readings waiting
               [ok]    scada: acknowledged 4 s ago, 0 readings waiting
               [ok]    archive: acknowledged 3 min ago, 0 readings waiting
Gateway        [ok]    power, temperature, memory, card, clock
               [note]  not measured on this board: throttling
0 failures, 2 warnings, 10 checks.
"""


def event(at: str, message: str, **other: str) -> Json:
    return {"time": f"2026-11-23T{at}Z", "severity": "warn", "event": "device.late",
            "subject": message.partition(":")[0], "message": message, "action": None,
            "code": None, "repeated": 0, **other}  # fmt: skip


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as inside:
        inside.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def changed(twin: Twin) -> Json:
    told = copy.deepcopy(bakery.snapshot())
    twin.answers["snapshot"] = told
    status: Json = told["status"]
    return status


def test_the_doctor_says_what_is_well_and_what_is_not(twin: Twin, fieldpost: Fieldpost) -> None:
    said = fieldpost("doctor")
    assert said.out == DOCTOR
    assert (said.code, len(twin.asked)) == (0, 1)


def test_a_failure_is_exit_1_with_its_code_on_request(twin: Twin, fieldpost: Fieldpost) -> None:
    problem = {"code": "FP-H06", "severity": "fail", "subject": "card",
               "message": "The card is read-only: readings live in memory only.",
               "action": "Replace the card"}  # fmt: skip
    changed(twin)["health"]["problems"] = [problem]
    said = fieldpost("doctor", "gateway", "-v")
    assert said.code == 1
    assert "[FAIL]  FP-H06 The card is read-only" in said.out
    assert said.out.endswith("1 failure, 0 warnings, 3 checks.\n")
    assert fieldpost("doctor", "--json").json["failures"] == 1


def test_when_all_is_well_the_doctor_ends_with_one_line(twin: Twin, fieldpost: Fieldpost) -> None:
    changed(twin)["health"]["problems"] = []
    assert fieldpost("doctor").out.endswith("8 checks. Everything works.\n")


def test_without_a_daemon_that_is_the_finding(fieldpost: Fieldpost) -> None:
    said = fieldpost("doctor")
    assert (said.code, "[FAIL]  The fieldpost daemon is not running" in said.out) == (1, True)


def test_the_log_is_one_sentence_each(twin: Twin, fieldpost: Fieldpost) -> None:
    twin.answers["events"] = {
        "events": [
            event("14:46:29.000", "inverter: no answer.", action="Look at its menu"),
            event("14:46:31.000", "Nothing can be stored.", severity="fail"),
        ]
    }
    assert fieldpost("log").out == (
        "2026-11-23 14:46  inverter: no answer.\n"
        "                  Look at its menu\n"
        "2026-11-23 14:46  PROBLEM  Nothing can be stored.\n"
    )
    fieldpost("log", "inverter", "--json")
    assert twin.asked[-1] == ("events", {"device": "inverter"})


def test_an_empty_log_says_so(twin: Twin, fieldpost: Fieldpost) -> None:
    twin.answers["events"] = {"events": []}
    assert fieldpost("log").out == "Nothing happened since the daemon started.\n"


def test_profiles_are_found_by_a_word_of_their_title(fieldpost: Fieldpost, tmp_path: Path) -> None:
    own = tmp_path / "profiles" / "my-oven.yaml"
    own.parent.mkdir()
    own.write_text("profile: my-oven\ntitle: Oven of the bakery\nkind: modbus\n")
    said = fieldpost("--config", str(tmp_path / "gateway.yaml"), "profiles", "OVEN OF")
    assert said.out == (
        "PROFILE   DEVICE\n"
        "my-oven   Oven of the bakery (of this gateway)\n"
    )  # fmt: skip
    shown = fieldpost("--config", str(tmp_path / "gateway.yaml"), "profile", "show", "my-oven")
    assert (shown.out, shown.err) == (own.read_text(), f"# {own}\n")


def test_an_unknown_profile_has_a_neighbour(fieldpost: Fieldpost) -> None:
    said = fieldpost("profile", "show", "nmea-wether")
    assert (said.code, "Did you mean nmea-weather?" in said.err) == (2, True)
    assert "lists them all" in fieldpost("profiles", "no such word").out


def test_profile_settings_for_programs(fieldpost: Fieldpost) -> None:
    assert fieldpost("profile", "show", "nmea-weather", "--json").json["kind"] == "serial-lines"


def test_the_version(fieldpost: Fieldpost) -> None:
    assert fieldpost("version").out.startswith("fieldpost ")
    assert fieldpost("version", "--json").json["schema"] == "fieldpost.version/1"
