"""The settings of destinations: what they compile to, and what they say when they cannot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.plan import Plan
from agent.prepare.compile import prepare

HEAD = """version: 1
site:
  name: Bakery
  id: ES-0231
connections:
  rs485: {kind: modbus-rtu, port: /dev/serial/by-id/usb-x}
devices:
  hall: {profile: acme, via: rs485, address: 1}
  hall-a: {profile: other, via: rs485, address: 2}
cloud:
"""
PROFILE = """profile: {name}
kind: modbus
every: 10s
points:
  {point}: {{read: holding 0, as: uint16}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    for name, point in (("acme", "a_b"), ("other", "b")):
        (tmp_path / "profiles" / f"{name}.yaml").write_text(PROFILE.format(name=name, point=point))
    return tmp_path


def compiled(folder: Path, *lines: str) -> tuple[Plan | None, list[Mapping[str, Any]]]:
    file = folder / "gateway.yaml"
    file.write_text(HEAD + "\n".join(f"  {line}" for line in lines) + "\n")
    outcome = prepare(file, offline=True, environment={})
    return outcome.plan, [
        {
            "message": found.problem.message,
            "fix": found.problem.fix,
            "severity": found.problem.severity,
        }
        for found in outcome.problems
    ]


def messages(folder: Path, *lines: str) -> list[str]:
    return [problem["message"] for problem in compiled(folder, *lines)[1]]


def test_the_shortest_destinations_are_complete(folder: Path) -> None:
    plan, _ = compiled(
        folder,
        "scada: {kind: mqtt, url: mqtts://mqtt.example.com}",
        "archive: {kind: http, url: https://ingest.example.com/v1}",
    )
    assert plan is not None
    mqtt = plan.destinations["scada"]
    assert (mqtt.every_s, mqtt.spec["port"], mqtt.spec["client_id"]) == (10.0, 8883, "ES-0231")
    assert mqtt.spec["topic"] == "fieldpost/ES-0231/{device}"
    assert plan.destinations["archive"].every_s == 60.0


def test_plans_name_secrets_and_hold_none(folder: Path) -> None:
    plan, _ = compiled(
        folder,
        "scada: {kind: mqtt, url: mqtts://h, username: u, password: secret:pw, ca: secret:ca,"
        " certificate: secret:c, private_key: secret:k}",
    )
    assert plan is not None
    assert sorted(plan.destinations["scada"].secrets) == ["c", "ca", "k", "pw"]


REFUSED = {
    "mqtt: {kind: mqtt, url: mqtt://mqtt.example.com}": (
        "mqtt:// can be read by everybody on the way; only mqtts:// is allowed",
        "write mqtts://mqtt.example.com:8883",
    ),
    "web: {kind: http, url: 'http://ingest.example.com/v1'}": (
        "http:// can be read by everybody on the way; only https:// is allowed",
        "write https://ingest.example.com/v1",
    ),
    "scada: {kind: mqtt, url: mqtts://h, certificate: secret:c}": (
        "'certificate' is here but 'private_key' is not",
        "they belong together: add  private_key: secret:...",
    ),
    "scada: {kind: mqtt, url: mqtts://h, private_key: secret:c}": (
        "'private_key' is here but 'certificate' is not",
        "they belong together: add  certificate: secret:...",
    ),
    "scada: {kind: mqtt, url: mqtts://h, password: secret:p}": (
        "'password' is here but 'username' is not",
        "they belong together: add  username: ...",
    ),
    "scada: {kind: mqtt, url: ftp://h}": (
        "'ftp' is not a way to reach this kind of destination",
        "write mqtts://h:8883",
    ),
    "scada: {kind: mqtt, url: mqtt.example.com}": (
        "'mqtt.example.com' is not an address",
        "write it with its scheme, like mqtts://broker.example.com",
    ),
    "scada: {kind: mqtt, url: mqtts://brok er}": (
        "'mqtts://brok er' is not an address",
        "write it without spaces",
    ),
    "scada: {kind: mqtt, url: mqtts://h, topic: a/+/b}": (
        "'a/+/b' cannot be a topic: + and # are only for readers",
        None,
    ),
    "scada: {kind: mqtt, url: mqtts://h, topic: 'a/{tag}'}": (
        "'a/{tag}' has a placeholder we do not know",
        None,
    ),
    "p: {kind: tesaiot, bundle: secret:b, live: mqtt, identities: {hall: secret:h}}": (
        "'live' cannot be switched on in this version",
        "leave the line  live:  out",
    ),
    "p: {kind: tesaiot, bundle: secret:b, identities: {attic: secret:h, hall: secret:h}}": (
        "there is no device called 'attic'",
        None,
    ),
    "p: {kind: tesaiot, bundle: secret:b}": (
        "'hall' with point 'a_b' and 'hall-a' with point 'b' would both be sent as 'hall_a_b'",
        "rename one device",
    ),
}


@pytest.mark.parametrize("line", REFUSED)
def test_a_destination_that_cannot_work_is_told_how_to(line: str, folder: Path) -> None:
    plan, problems = compiled(folder, line)
    message, fix = REFUSED[line]
    assert plan is None
    found = next(problem for problem in problems if problem["message"] == message)
    if fix:
        assert found["fix"] == fix


def test_a_secret_in_an_address_is_not_repeated(folder: Path) -> None:
    line = "scada: {kind: mqtt, url: 'mqtts://joe:FAKEnotASecret@h'}"
    assert messages(folder, line) == ["a secret must not stand in this file"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_this_machine_may_be_reached_in_the_clear(host: str, folder: Path) -> None:
    plan, _ = compiled(folder, f"m: {{kind: mqtt, url: 'mqtt://{host}:1884'}}")
    assert plan is not None
    assert plan.destinations["m"].spec["encrypted"] is False
    assert plan.destinations["m"].spec["port"] == 1884


def test_no_setting_turns_verification_off() -> None:
    schema = (Path(__file__).parents[2] / "config" / "gateway.schema.json").read_text()
    for word in ("insecure", "verify", "check_hostname", "skip"):
        assert f'"{word}' not in schema
    for path in (Path(__file__).parents[2] / "agent").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for way in ("CERT_NONE", "verify=False", "check_hostname = False", "tls_insecure_set"):
            assert way not in text, path
