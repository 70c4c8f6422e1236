"""Whatever becomes of the file: a plan or sentences, never a traceback, and always in our words."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.plan import Plan, from_json, to_json
from agent.prepare.compile import Outcome
from agent.prepare.explain import UNTRANSLATED
from agent.prepare.kinds import Severity
from agent.prepare.profiles import packaged
from agent.prepare.report import as_json, github, human
from tests.prepare.bench import SAMPLE, Bench

LINES = SAMPLE.splitlines()
FITTING = {
    "eastron-sdm630": "line, address: 1",
    "nmea-weather": "text",
    "csv-temperature-humidity-pressure": "text",
    "acme-vib-gatt": "radio, mac: 'E1:5C:0A:77:20:9D'",
    "bthome": "radio, mac: 'E1:5C:0A:77:20:9D'",
}
ONE_DEVICE = """\
site: {name: X}
connections:
  line: {kind: modbus-rtu, port: /dev/null}
  text: {kind: serial-lines, port: /dev/zero}
  radio: {kind: bluetooth}
devices:
  it: {profile: mutant, via: VIA}
"""
PIECES = (
    "", " ", "  ", "\t", ":", ": ", "{", "}", "[", "]", "&a", "*a", "!x", "|", ">", "'", '"', "#",
    "---", "...", "%", "@", "? ", "- ", "<<: ", "~", "null", "yes", "no", "{a: b}", "''", "secret:",
    "secret:x", "0", "-1", "1e999", "nan", "9" * 400, "1s", "5 parsecs", "é", "\x00", "\u202e",
    "\ud7ff", "kind: http", "points: {x: {every: 1s}}", "{line:a/b}", "{message}", "%s", "[key]",
)  # fmt: skip
VALUES = st.sampled_from(PIECES) | st.text(max_size=12)
MUTATION = st.tuples(
    st.sampled_from(("value", "key", "delete", "repeat", "insert", "indent", "cut", "swap")),
    st.integers(0, len(LINES) - 1),
    st.integers(0, 40),
    VALUES,
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Bench]:
    """One folder for all examples: only its file changes."""
    folder = Path(tempfile.mkdtemp())
    yield Bench(folder)
    shutil.rmtree(folder)


def mutated(lines: list[str], mutation: tuple[str, int, int, str]) -> list[str]:
    how, at, column, piece = mutation
    at %= len(lines) or 1
    line = lines[at] if lines else ""
    key, colon, rest = line.partition(":")
    changed = {
        "value": [f"{key}{colon} {piece}"],
        "key": [f"{key[: len(key) - len(key.lstrip())]}{piece}{colon}{rest}"],
        "delete": [],
        "repeat": [line, line],
        "insert": [line, " " * (column % 8) + piece],
        "indent": [" " * (column % 8) + line.lstrip()],
        "cut": [line[:column] + piece + line[column + 1 :]],
        "swap": [rest.strip() + colon + key],
    }[how]
    return lines[:at] + changed + lines[at + 1 :]


def check(outcome: Outcome) -> None:
    errors = [p for p in outcome.problems if p.problem.severity is Severity.ERROR]
    assert outcome.plan is not None or errors
    assert UNTRANSLATED not in {located.problem.code for located in outcome.problems}
    for line in as_json(outcome.problems).splitlines():
        assert json.loads(line)["message"]
    assert human(outcome.problems).isprintable() or "\n" in human(outcome.problems)
    assert github(outcome.problems).count("\n") == len(outcome.problems)
    if outcome.plan:
        assert from_json(Plan, json.loads(json.dumps(to_json(outcome.plan)))) is not None


@pytest.mark.timeout(60)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(MUTATION, min_size=1, max_size=4))
def test_a_changed_sample_is_a_plan_or_sentences(
    shared: Bench, mutations: list[tuple[str, int, int, str]]
) -> None:
    lines = LINES
    for mutation in mutations:
        lines = mutated(lines, mutation)
    text = "\n".join(lines)
    check(shared.prepare(text.encode(errors="replace")))


@pytest.mark.timeout(60)
@settings(max_examples=20, deadline=None)
@given(
    st.dictionaries(
        st.lists(
            st.sampled_from(
                ("site", "buffer", "name", "cloud", "archive", "every", "url", "devices", "weather",
                 "points", "power", "status", "listen", "version", "identities", "", "[key]")
            ),
            min_size=1,
            max_size=6,
        ).map(lambda parts: "FIELDPOST_" + "__".join(parts).upper()),
        VALUES,
        max_size=3,
    )
)  # fmt: skip
def test_any_environment_is_a_plan_or_sentences(shared: Bench, variables: dict[str, str]) -> None:
    check(shared.prepare(environment=variables))


@pytest.mark.timeout(60)
@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(FITTING)), st.lists(MUTATION, min_size=1, max_size=3))
def test_a_changed_profile_is_a_plan_or_sentences(
    shared: Bench, name: str, mutations: list[tuple[str, int, int, str]]
) -> None:
    lines = (packaged() / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    lines = [line.replace(f"profile: {name}", "profile: mutant") for line in lines]
    for mutation in mutations:
        lines = mutated(lines, mutation)
    path = shared.file.parent / "profiles" / "mutant.yaml"
    path.write_bytes("\n".join(lines).encode(errors="replace"))
    check(shared.prepare(ONE_DEVICE.replace("VIA", FITTING[name])))
