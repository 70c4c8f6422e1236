"""`fieldpost queue`: shown, sent again, given up, carried out."""

import csv
import io
import sys
from pathlib import Path

import orjson
import pytest

from agent.errors import NotFoundError
from agent.plan import Json
from tests.cli import bakery
from tests.cli.conftest import Fieldpost
from tests.cli.twin import Twin

SCREEN = """\
CLOUD      STATE     WAITING         OLDEST   RATE   LAST OK   REFUSED   LOST
platform   waiting   1 240, 9.0 kB   12 min   none   12 min    3         120
scada      ok        none            none     21/s   4 s       0         0
old        removed   80, 9.0 kB      2 d      none   -         0         6
platform: api.example.com cannot be reached (Connection refused). Readings are
   kept: 1 240 so far, room for 31 d. Next try in 2 min.
   fieldpost netcheck platform
platform: 2 refused samples, 1 of them going again:
   fieldpost queue rejected platform
platform: 120 readings lost, given up by hand,
   2026-11-23 12:04 to 13:10
old is no longer in the configuration, and 80 readings wait for it. To free
   them:
   fieldpost queue drop old
old: at most 6 readings lost, not whole on the card at a power cut or crash,
   until 2026-11-23 12:04
Buffer: 1.3 MB of 2.0 GB used, room for 31 d. A power cut loses at most 1 s.
"""
REFUSED = {
    "destination": "platform", "msg_id": "ES-0231:6f0d:17", "epoch": "6f0d", "seq": 17,
    "time": "2026-11-23T12:04:00.000Z", "device": "oven-meter", "reason": "value too large",
    "readings": 1, "values": {"power": 1e9}, "again": False,
}  # fmt: skip
SAMPLES = [
    {"msg_id": f"ES-0231:6f0d:{seq}", "device": "main-meter", "time": "2026-11-23T12:04:00.000Z",
     "quality": "exact", "values": {"power": 4310.2, "voltage": 231.4}}
    for seq in (1, 2)
]  # fmt: skip


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def held(found: Json, **more: object) -> Json:
    nothing: Json = {"configured": True, "rejected": None, "lost": [], "rate_per_s": 0.0}
    waiting = {"samples": 0, "readings": 0, "bytes": 0, "oldest_at": None}
    return {**found, **nothing, "waiting": waiting, **more}


def lost(readings: int, reason: str, *, since: str | None, exact: bool = True) -> Json:
    return {"reason": reason, "samples": readings, "readings": readings, "from": since,
            "to": "2026-11-23T13:10:00.000Z" if since else "2026-11-23T12:04:00.000Z",
            "exact": exact}  # fmt: skip


@pytest.fixture
def store(twin: Twin) -> Twin:
    away = bakery.destination(754.0, "waiting") | {
        "message": "platform: api.example.com cannot be reached (Connection refused). Readings are"
        " kept: 1 240 so far, room for 31 d.",
        "action": "fieldpost netcheck platform",
        "next_try_s": 125,
    }
    waiting = {
        "samples": 620,
        "readings": 1240,
        "bytes": 9000,
        "oldest_at": "2026-11-23T14:34:00.000Z",
    }
    removed = {**waiting, "readings": 80, "oldest_at": "2026-11-21T14:34:00.000Z"}
    refused = {"samples": 2, "readings": 3, "going_again": 1, "from": None, "to": None}
    by_hand = lost(120, "dropped_by_operator", since="2026-11-23T12:04:00.000Z")
    crash = lost(6, "unclean_stop", since=None, exact=False)
    twin.answers["queue"] = {
        "time": bakery.NOW,
        "store": bakery.status()["store"],
        "destinations": {
            "platform": held(away, waiting=waiting, rejected=refused, lost=[by_hand]),
            "scada": held(bakery.destination(4.0), rate_per_s=21.4),
            "old": held({}, configured=False, waiting=removed, lost=[crash]) ,
        },
    }  # fmt: skip
    twin.answers["queue.rejected"] = {"total": 9, "rejected": [REFUSED, REFUSED | {"again": True}]}
    twin.answers["queue.replay"] = {"samples": 2, "readings": 3}
    twin.answers["queue.drop"] = {
        "waiting_readings": 1240,
        "rejected_readings": 3,
        "forgotten": True,
    }
    twin.streams["queue.export"] = [{"samples": SAMPLES[:1]}, {"samples": SAMPLES[1:]}]
    return twin


def test_everything_held_is_on_one_screen(store: Twin, fieldpost: Fieldpost) -> None:
    said = fieldpost("queue")
    assert said.out == SCREEN
    assert max(map(len, said.out.splitlines())) <= 80
    shown = fieldpost("queue", "--json").json["destinations"]
    assert shown["old"]["waiting"]["readings"] == 80
    assert shown["platform"]["lost"][0]["reason"] == "dropped_by_operator"
    assert store.asked == [("queue", {})] * 2


def test_what_to_do_stands_there_although_something_was_refused_before(
    store: Twin, fieldpost: Fieldpost
) -> None:
    shown = store.answers["queue"]
    assert isinstance(shown, dict)
    told = {"state": "refused", "rejected_1h": 3, "action": "Is its token still valid?"}
    shown["destinations"]["platform"] |= told
    assert "   Is its token still valid?\n" in fieldpost("queue").out


def test_what_was_refused_stands_there_with_its_reason(store: Twin, fieldpost: Fieldpost) -> None:
    said = fieldpost("queue", "rejected", "platform")
    assert store.asked[-1] == ("queue.rejected", {"limit": 50, "destination": "platform"})
    assert said.out.splitlines()[1].endswith("17   oven-meter   value too large")
    assert said.out.splitlines()[2].endswith("going again; value too large")
    assert "9 samples in all" in said.err
    store.answers["queue.rejected"] = {"total": 0, "rejected": []}
    assert fieldpost("queue", "rejected").out == "Nothing that was refused is held.\n"


def test_refused_samples_are_sent_again_all_or_some(store: Twin, fieldpost: Fieldpost) -> None:
    said = fieldpost("queue", "replay", "platform", "--all")
    assert "2 samples going to platform again" in said.out
    fieldpost("queue", "replay", "platform", "17", "6f0d:18")
    assert store.asked == [
        ("queue.replay", {"destination": "platform", "ids": ids})
        for ids in (None, ["17", "6f0d:18"])
    ]
    asked = len(store.asked)
    assert fieldpost("queue", "replay", "platform").code == 2
    assert fieldpost("queue", "replay", "platform", "17", "--all").code == 2
    assert len(store.asked) == asked


def test_trying_now_promises_nothing_for_a_cloud_that_asked_for_peace(
    store: Twin, fieldpost: Fieldpost
) -> None:
    store.answers["queue.try"] = {"destinations": ["platform", "scada"]}
    said = fieldpost("queue", "try")
    assert said.out == "Asked to try now: platform, scada. See: fieldpost queue\n"
    assert "asked us to wait" in said.err


def test_ids_that_nobody_refused_are_told(store: Twin, fieldpost: Fieldpost) -> None:
    store.answers["queue.replay"] = {"samples": 1, "readings": 1}
    assert fieldpost("queue", "replay", "platform", "17").err == ""
    said = fieldpost("queue", "replay", "platform", "17", "17000", "18000")
    assert said.out == "1 sample going to platform again: fieldpost queue\n"
    assert said.err == "2 ids not found among what it refused.\n"


def test_what_a_damaged_line_of_the_ledger_told_is_still_counted(
    store: Twin, fieldpost: Fieldpost
) -> None:
    answer = store.answers["queue"]
    assert isinstance(answer, dict)
    answer["destinations"]["scada"]["lost_total"] = 626
    [row] = [row for row in fieldpost("queue").out.splitlines() if row.startswith("scada")]
    assert row.endswith(" 626")


def test_a_queue_in_ram_is_no_second_behind_but_all_of_it(
    store: Twin, fieldpost: Fieldpost
) -> None:
    answer = store.answers["queue"]
    assert isinstance(answer, dict)
    answer["unread"] = "The disk does not answer."
    assert fieldpost("queue").out.endswith("A power cut loses what is in RAM.\n")


def test_nothing_is_given_up_without_a_word(
    store: Twin, fieldpost: Fieldpost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    said = fieldpost("queue", "drop", "old")
    assert (said.code, "Add --yes" in said.err) == (2, True)
    assert store.asked == []


def test_what_is_given_up_is_said(store: Twin, fieldpost: Fieldpost) -> None:
    said = fieldpost("queue", "drop", "old", "--yes")
    assert store.asked == [("queue.drop", {"destination": "old", "what": "all"})]
    assert "1 243 readings of old given up" in said.out
    assert "old is forgotten." in said.out
    fieldpost("queue", "drop", "platform", "--rejected", "--yes")
    assert store.asked[-1][1]["what"] == "rejected"
    store.answers["queue.drop"] = NotFoundError("There is no destination 'x'.")
    assert fieldpost("queue", "drop", "x", "--yes").code == 2


def test_an_export_is_a_sample_a_line(store: Twin, fieldpost: Fieldpost, tmp_path: Path) -> None:
    said = fieldpost("queue", "export", "platform", "--since", "2026-11-23T13:00:00+01:00")
    assert store.asked[-1] == (
        "queue.export",
        {"what": "waiting", "destination": "platform", "since": "2026-11-23T12:00:00.000Z"},
    )
    assert [orjson.loads(line) for line in said.out.splitlines()] == SAMPLES
    assert "2 samples, 4 readings; they are still held." in said.err
    assert list(tmp_path.iterdir()) == [store.path]


def test_a_table_has_a_value_a_line_with_its_unit(store: Twin, fieldpost: Fieldpost) -> None:
    said = fieldpost("queue", "export", "--format", "csv", "--rejected", "--since", "2d")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert store.asked[-1][1]["what"] == "rejected"
    assert len(rows) == 4
    assert rows[0]["unit"] == "W"
    assert (rows[3]["point"], rows[3]["value"]) == ("voltage", "231.4")
    assert fieldpost("queue", "export", "--since", "yesterday").code == 2
