"""The messages of the catalogue that come without an excerpt, and the rules for all of them."""

import re

import pytest

from agent.prepare.compile import prepare
from agent.prepare.kinds import Severity
from agent.prepare.report import human
from agent.prepare.source import Located
from tests.prepare.bench import SAMPLE, Bench, changed


def only(located: tuple[Located, ...]) -> tuple[str, str | None]:
    assert len(located) == 1, human(located)
    return located[0].problem.message, located[0].problem.fix


@pytest.mark.parametrize(
    ("line", "text", "message", "fix"),
    [
        (48, "    enabled: maybe", "'maybe' is not yes or no", "write yes or no"),
        (
            48,
            "    adress: 1",
            "'adress' is now called 'address'",
            "fieldpost migrate",
        ),
        (
            55,
            "      powr: {every: 1s}",
            "'powr' is not a point of eastron-sdm120",
            "did you mean 'power'?",
        ),
        (
            55,
            "      power: {every:1s}",
            "a space is missing after ':'",
            "every: 1s",
        ),
        (
            37,
            "    scan: pasive",
            "'pasive' is not possible for 'scan'",
            "did you mean passive?",
        ),
        (
            53,
            "    every:",
            "'every' is empty",
            "write a value behind it, or delete the line",
        ),
        (
            12,
            "  may_lose: 10s",
            "10s is out of range: may_lose goes from 0s to 5s",
            "write 1s, or 5s for the least wear of the card",
        ),
        (
            54,
            "    points: yes",
            "'points' holds settings of its own, not one value",
            "write them below  points:  with 2 more spaces before each",
        ),
    ],
)
def test_one_slip_is_one_message(
    bench: Bench, line: int, text: str, message: str, fix: str
) -> None:
    lines = {line: text}
    if text.strip().startswith("adress"):
        lines[46] = ""
    if text.strip() == "points: yes":
        lines[55] = ""
    assert only(bench.prepare(changed(SAMPLE, lines)).problems) == (message, fix)


def test_a_section_without_content_says_what_to_add(bench: Bench) -> None:
    lines = dict.fromkeys(range(8, 13), "")
    assert only(bench.prepare(changed(SAMPLE, lines)).problems) == (
        "'site' is empty",
        "add a line  name: ...",
    )


def test_a_section_that_is_commented_out_is_fine(bench: Bench) -> None:
    text = "site:\n  name: X\nconnections:\n#  a: 1\ndevices:\ncloud:\nstatus:\nhealth:\n"
    outcome = bench.prepare(text)
    assert outcome.problems == ()
    assert outcome.plan is not None
    assert outcome.plan.devices == {}


def test_a_device_without_settings_says_what_to_add(bench: Bench) -> None:
    text = "site: {name: X}\ndevices:\n  oven:\n"
    assert only(bench.prepare(text).problems) == ("'oven' is empty", "add a line  profile: ...")


def test_a_renamed_setting_still_works(bench: Bench) -> None:
    outcome = bench.prepare(changed(SAMPLE, {46: "    adress: 1"}))
    assert outcome.plan is not None
    assert outcome.plan.devices["main-meter"].address == "1"
    assert [located.problem.severity for located in outcome.problems] == [Severity.WARNING]
    wrong = bench.prepare(changed(SAMPLE, {46: "    adress: 300"}))
    assert wrong.problems[1].mark == wrong.problems[0].mark or wrong.problems[1].mark is not None


def test_a_missing_section_is_told_without_a_place(bench: Bench) -> None:
    outcome = bench.prepare("version: 1\ncloud:\n")
    assert only(outcome.problems) == ("this file has no site", "add a line  site: ...")


def test_a_profile_that_names_no_connection_there_is_says_what_to_add(bench: Bench) -> None:
    text = (
        "site: {name: X}\nconnections:\n  line: {kind: modbus-tcp, host: meter}\n"
        "devices:\n  a: {profile: ruuvitag, via: line, mac: 'A4:C1:38:00:27:62'}\n"
    )
    assert only(bench.prepare(text).problems) == (
        "'ruuvitag' is a bluetooth device, but 'line' is a modbus-tcp connection",
        "add a connection with  kind: bluetooth",
    )


def test_secrets_that_may_not_be_looked_at_are_a_note(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name no file can have stands in for a folder without rights: tests may run as root."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/" + "x" * 300)
    outcome = bench.prepare()
    assert human(outcome.problems) == (
        f"{bench.file}: note: the secrets were not checked: only root and the service may read "
        f"them\n      = fix: sudo fieldpost --config {bench.file} check\n"
    )
    assert outcome.plan is not None


def test_a_missing_secret_is_told_and_the_gateway_starts_all_the_same(bench: Bench) -> None:
    (bench.file.parent / "secrets" / "freezer-key").unlink()
    outcome = bench.prepare()
    assert only(outcome.problems) == (
        "there is no secret called 'freezer-key'",
        f"fieldpost --config {bench.file} secret set freezer-key",
    )
    assert outcome.plan is not None


def test_offline_asks_nothing_of_the_machine(bench: Bench) -> None:
    for path in (bench.file.parent / "secrets").iterdir():
        path.unlink()
    bench.file.write_text(SAMPLE)
    assert prepare(bench.file, offline=True, environment={}).problems == ()


def test_an_adapter_that_is_not_plugged_in_is_a_warning(bench: Bench) -> None:
    bench.file.write_text(SAMPLE)
    outcome = prepare(bench.file, environment={})
    found = {(p.problem.message, p.problem.severity) for p in outcome.problems}
    assert found == {("this adapter is not plugged in now", Severity.WARNING)}


def test_everything_that_is_wrong_is_told_in_the_order_of_the_file(bench: Bench) -> None:
    lines = {11: "  buffer: 2", 21: "    line: 9600", 45: "    via: rs458", 118: "  listen: x"}
    outcome = bench.prepare(changed(SAMPLE, lines))
    assert [located.mark.line for located in outcome.problems if located.mark] == [11, 21, 45, 118]
    assert outcome.plan is None


def test_a_busy_wire_is_a_warning_with_the_same_remedy(bench: Bench) -> None:
    outcome = bench.prepare(changed(SAMPLE, {21: "    line: 2400 8N1", 47: "    every: 1300ms"}))
    assert outcome.plan is not None
    problem = outcome.problems[0].problem
    assert problem.severity is Severity.WARNING
    assert re.fullmatch(r"this wire is busy (8|9)\d % of the time", problem.message)
    assert problem.fix == "read main-meter every 2s, or set the meters and `line:` to 9600 8N1"


def test_names_that_meet_on_the_platform_are_told(bench: Bench) -> None:
    point = "profile: NAME\nkind: modbus\npoints: {POINT: {read: input 0, as: int16}}\n"
    bench.profile("one", point.replace("NAME", "one").replace("POINT", "a_b"))
    bench.profile("two", point.replace("NAME", "two").replace("POINT", "b"))
    text = SAMPLE.replace("main-meter", "hall").replace("oven-meter", "hall-a")
    text = text.replace("eastron-sdm630", "one").replace("eastron-sdm120", "two")
    text = text.replace("power: {every: 1s}", "b: {every: 1s}")
    assert only(bench.prepare(text).problems) == (
        "'hall' with point 'a_b' and 'hall-a' with point 'b' would both be sent as 'hall_a_b'",
        "rename one device",
    )


def test_secrets_and_pairs_of_connections_are_checked_like_those_of_destinations(
    bench: Bench,
) -> None:
    tls = {27: "    host: 192.168.1.40", 28: "    transport: tls\n    certificate: secret:plc-cert"}
    problems = bench.prepare(changed(SAMPLE, tls)).problems
    assert [located.problem.message for located in problems] == [
        "'certificate' is here but 'private_key' is not",
        "there is no secret called 'plc-cert'",
    ]


def test_no_device_takes_the_name_under_which_the_gateway_reports(bench: Bench) -> None:
    text = SAMPLE.replace("  oven-meter:\n", "  fieldpost:\n")
    assert only(bench.prepare(text).problems) == (
        "'fieldpost' is the name under which the gateway itself reports",
        "give this device another name",
    )
