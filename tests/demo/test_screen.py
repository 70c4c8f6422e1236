"""The demo's screen fits a narrow terminal, and works without one."""

import io
import json

from agent.demo import screen
from agent.demo.account import DeviceCount, Summary
from agent.demo.screen import Screen
from agent.plan import Json

SNAPSHOT: Json = {
    "status": {
        "gateway": {"id": "fp-demo-gateway", "name": "Bakery North", "version": "0.1.0"},
        "devices": {"total": 2, "ok": 1, "late": 1, "lost": 0},
        "destinations": {"platform": {"state": "ok", "waiting_readings": 12}},
        "store": {
            "used_bytes": 130_000,
            "quota_bytes": 50_000_000,
            "accepted_readings_total": 512,
            "lost_readings_total": 0,
        },
    },
    "devices": {
        "main-meter": {
            "state": "ok",
            "age_s": 0.4,
            "message": None,
            "points": {"voltage": {"unit": "V"}, "power": {"unit": "W"}},
            "telemetry_summary": {"last_value": {"voltage": 231.44, "power": 4310.2}},
        },
        "inverter": {
            "state": "late",
            "age_s": 38.0,
            "message": "no answer from 192.168.1.40:502, and a sentence that goes on and on and on",
            "points": {},
            "telemetry_summary": {"last_value": {}},
        },
    },
}
SUMMARY = Summary(512, 500, 4, 2, 10, 25.0, 20.0, {"main-meter": DeviceCount(20, 18, 1)})


def test_one_screen_fits_eighty_columns() -> None:
    text = screen.full(SNAPSHOT)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "231.4 V   4.3 kW" in text
    assert "no answer from 192.168.1.40:502" in text
    assert "512 readings accepted" in text


def test_without_a_terminal_a_line_comes_now_and_then() -> None:
    out = io.StringIO()
    shown = Screen(out)
    for second in range(12):
        shown.show(float(second), "http://127.0.0.1:8080/", SNAPSHOT)
    assert out.getvalue().count("\n") == 4
    assert "devices 1 ok, 1 late; 512 readings accepted, 12 waiting; platform ok" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_a_daemon_that_does_not_answer_is_said_so() -> None:
    out = io.StringIO()
    Screen(out).show(0.0, "", None)
    assert "the daemon does not answer" in out.getvalue()


def test_the_reckoning_is_for_people_and_for_machines() -> None:
    assert "500 delivered (25 a second), 4 of them more than once," in screen.reckoning(SUMMARY)
    told = json.loads(screen.as_json(SUMMARY))
    assert told["schema"] == "fieldpost.demo/1"
    assert told["counted_lost"] == 10
    assert told["devices"]["main-meter"] == {"produced": 20, "held": 18, "cut": 1, "missing": 1}
