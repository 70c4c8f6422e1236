"""Settings from the environment: on top of the file, and never a silent nothing."""

import pytest

from agent.plan import overrides_digest
from agent.prepare.report import as_json, human
from tests.prepare.bench import Bench


def test_the_environment_wins_and_is_named_in_the_plan(bench: Bench) -> None:
    variables = {"FIELDPOST_SITE__BUFFER": "1GB", "fieldpost_cloud__archive__every": "1min"}
    outcome = bench.prepare(environment=variables)
    assert outcome.plan is not None
    assert outcome.plan.site.buffer_bytes == 1_000_000_000
    assert outcome.plan.destinations["archive"].every_s == 60
    assert outcome.plan.origin.overrides == ["cloud.archive.every", "site.buffer"]
    assert outcome.plan.origin.environment == overrides_digest(variables)


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("FIELDPOST_SITE__BUFER", "did you mean FIELDPOST_SITE__BUFFER?"),
        ("FIELDPOST_CLOUD__ARCHVE__EVERY", "did you mean FIELDPOST_CLOUD__ARCHIVE__EVERY?"),
        ("FIELDPOST_CLOUD__ARCHIVE__EVRY", "did you mean FIELDPOST_CLOUD__ARCHIVE__EVERY?"),
        ("FIELDPOST_DEBUG", None),
        ("FIELDPOST_SITE", None),
        ("FIELDPOST_", None),
        ("FIELDPOST_DEVICES__OVEN-METER__POINTS__POWER__EVERY__X", None),
    ],
)
def test_a_variable_that_means_nothing_is_an_error(
    bench: Bench, name: str, fix: str | None
) -> None:
    outcome = bench.prepare(environment={name: "1s"})
    assert [p.problem.message for p in outcome.problems] == [f"{name}: there is no such setting"]
    if fix:
        assert outcome.problems[0].problem.fix == fix
    assert outcome.plan is None


def test_a_wrong_value_is_told_with_the_name_of_its_variable(bench: Bench) -> None:
    outcome = bench.prepare(environment={"FIELDPOST_SITE__BUFFER": "2"})
    assert human(outcome.problems) == (
        "environment: error: FIELDPOST_SITE__BUFFER: 2 what? a size needs a unit\n"
        "      = fix: write 2MB or 2GB\n"
    )
    assert '"file": "environment", "line": null' in as_json(outcome.problems)


@pytest.mark.parametrize("name", ["CONFIG", "SOCKET", "STATE"])
def test_variables_of_the_programs_are_no_settings(bench: Bench, name: str) -> None:
    assert bench.prepare(environment={f"FIELDPOST_{name}": "x"}).problems == ()


def test_a_secret_from_the_environment_is_not_shown(bench: Bench) -> None:
    outcome = bench.prepare(environment={"FIELDPOST_CLOUD__ARCHIVE__TOKEN": "hunter2"})
    assert "hunter2" not in human(outcome.problems)
    assert outcome.plan is None
