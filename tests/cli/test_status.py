"""`fieldpost status`: the screen as text."""

import copy

import pytest

from agent.cli.spark import drawn
from agent.errors import ForbiddenError
from agent.plan import Json
from tests.cli import bakery
from tests.cli.conftest import Fieldpost
from tests.cli.twin import Twin

pytestmark = pytest.mark.usefixtures("twin")

SCREEN = """\
Bakery North (ES-0231)   fieldpost 1.4.0   up 6 d 3 h   ATTENTION
cloud     platform ok 21 s  scada ok 4 s  archive ok 3 min  0 readings waiting
gateway   CPU 11 %  51 C  memory 71 of 426 MB  card 82 % free  clock, power ok

DEVICE       STATE   LAST    KEY VALUES                          LAST 30 MIN
main-meter   ok      2 s     231.4 V   4.31 kW   18 422.7 kWh    ▁▁▂▂▄▅▆▇█▇▆▅
oven-meter   ok      1 s     230.9 V   2.10 kW   3 190.2 kWh     ▁▁██▁▁██▁▁██
inverter     late    38 s    no answer from 192.168.1.40:502     ▆▆▆▂▂▂▂▂▂▂▂·
weather      ok      1 s     11.2 C   4.1 m/s                    ············
cold-room    ok      8 s     4.1 C   71 %   battery 2.98 V       ············
freezer      ok      3 s     -18.4 C                             ▃▃▃▃▃▃▃▃▃▃▃▃
shop-floor   ok      2 s     21.3 C   26 %   battery 100 %       ············
vibration    never   -       heard, but it refuses connections   ············
2 devices need you:  fieldpost doctor
"""


def snapshot(twin: Twin) -> Json:
    """The twin's answer, to be changed."""
    changed = copy.deepcopy(bakery.snapshot())
    twin.answers["snapshot"] = changed
    return changed


def test_the_screen_of_a_bakery(fieldpost: Fieldpost) -> None:
    said = fieldpost("status")
    assert said.out == SCREEN
    assert (said.code, said.err) == (0, "")
    assert max(len(line) for line in said.out.splitlines()) <= 80


def test_what_the_card_has_to_take_is_told_once_it_was_measured(
    twin: Twin, fieldpost: Fieldpost
) -> None:
    card = snapshot(twin)["status"]["machine"]["card"]
    card |= {"written_bytes_day": 1_190_000_000, "agent_written_bytes_day": 960_000_000}
    card |= {"projected_life_years": 23.0, "assumed_endurance_bytes": 10_000_000_000_000}
    assert (
        "wear      1.2 GB written a day   960 MB a day by fieldpost\n"
        "          lasts 23 years if made for 10 TB\n"
    ) in fieldpost("status").out
    card |= {"written_bytes_day": None, "projected_life_years": None}
    assert "wear      960 MB a day by fieldpost\n" in fieldpost("status").out
    card |= {"written_bytes_day": 90_000_000, "projected_life_years": 304.0}
    assert "lasts over 50 years if made for 10 TB" in fieldpost("status").out
    card |= {"written_bytes_day": 90_000_000_000, "projected_life_years": 0.3}
    assert "lasts less than a year if made for 10 TB" in fieldpost("status").out


def test_programs_get_the_whole_snapshot(fieldpost: Fieldpost) -> None:
    said = fieldpost("status", "--json")
    assert said.json == {"schema": "fieldpost.status/1", **bakery.snapshot()}


def test_a_daemon_that_keeps_its_history_to_itself_costs_a_column(
    twin: Twin, fieldpost: Fieldpost
) -> None:
    twin.answers["history"] = ForbiddenError("No.")
    said = fieldpost("status")
    assert "LAST 30 MIN" not in said.out
    assert "main-meter   ok      2 s     231.4 V   4.31 kW   18 422.7 kWh\n" in said.out


def test_a_cloud_that_is_away_shows_what_waits_and_when_it_is_tried(
    twin: Twin, fieldpost: Fieldpost
) -> None:
    away = bakery.destination(754.0, "waiting", 1240) | {"next_try_s": 114}
    snapshot(twin)["status"]["destinations"]["platform"] = away
    cloud = fieldpost("status").out.splitlines()[1:3]
    assert cloud == [
        "cloud     platform waiting 12 min, next try in 114 s   scada ok 4 s",
        "          archive ok 3 min   1 240 readings waiting",
    ]


def test_nothing_is_ever_shown_as_empty(twin: Twin, fieldpost: Fieldpost) -> None:
    told = snapshot(twin)
    told["status"]["destinations"] = {}
    told["status"]["machine"] |= {"temperature": None, "memory": None, "power": None}
    told["status"]["machine"] |= {"load_1min": None}
    told["devices"] = {
        "new": bakery.device("new", None, {"power": "W"}, {}, state="starting"),
        "spare": bakery.device("spare", None, {"power": "W"}, {}, state="off"),
    }
    lines = fieldpost("status").out.splitlines()
    assert lines[1] == "cloud     no destinations: readings are not sent anywhere"
    assert lines[2] == "gateway   CPU not measured   card 82 % free   clock ok"
    assert lines[5].startswith("new          starting   -       no value yet ")
    assert lines[6].startswith("spare        off        -       switched off in the file ")


def test_a_gateway_without_devices_says_what_to_do(twin: Twin, fieldpost: Fieldpost) -> None:
    snapshot(twin)["devices"] = {}
    assert "No devices yet" in fieldpost("status").out


def test_an_edited_file_is_shown(twin: Twin, fieldpost: Fieldpost) -> None:
    snapshot(twin)["status"]["configuration"]["edited_not_applied"] = True
    assert "was edited; to apply it:" in fieldpost("status").out


def test_long_names_do_not_break_the_screen(twin: Twin, fieldpost: Fieldpost) -> None:
    name = "meter-of-the-second-oven-in-the-basement"
    text = bakery.device(name, 9e5, {"name": None, "serial": None}, {"name": "x" * 60, "serial": 7})
    snapshot(twin)["devices"] = {name: text}
    lines = fieldpost("status").out.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert lines[5].startswith("meter-of-the-second…   ok      10 d 10 h   name xxx")


def test_no_colour_reaches_a_pipe(fieldpost: Fieldpost) -> None:
    assert "\x1b" not in fieldpost("status").out


def test_gaps_stay_gaps_and_a_flat_course_is_flat() -> None:
    assert drawn([None, 1.0, 2.0, None, 3.0]) == "·▁▅·█"
    assert len(set(drawn([230.0, 230.4, 229.8, 230.1]))) == 1
    assert drawn([0.0, 0.0]) == "▃▃"


def test_without_a_daemon_one_sentence_and_exit_3(fieldpost: Fieldpost) -> None:
    said = fieldpost("--socket", "/nowhere/fieldpost.sock", "status")
    assert said.code == 3
    assert said.err == (
        "The fieldpost daemon is not running (nothing listens at /nowhere/fieldpost.sock).\n"
        "  Start it: sudo systemctl start fieldpost   (by hand: fieldpost run)\n"
    )
    assert '"code":"AGENT_UNAVAILABLE"' in fieldpost(
        "status", "--socket", "/nowhere/fieldpost.sock", "--json"
    ).err  # fmt: skip
