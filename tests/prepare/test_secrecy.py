"""A secret that somebody wrote into the file is never shown again."""

import pytest

from agent.prepare.report import as_json, github, human
from agent.prepare.source import BrokenFileError
from tests.prepare.bench import SAMPLE, Bench, changed

CANARY = "hunter2-s3cr3t"

PLACES = {
    "token in the clear": {111: f"    token: {CANARY}"},
    "quoted": {111: f"    token: '{CANARY}'"},
    "with a comment": {111: f"    token: {CANARY} # {CANARY}"},
    "misspelt key": {111: f"    tokn: {CANARY}"},
    "key of a sensor": {76: f"    key: {CANARY}"},
    "above another mistake": {111: f"    token: {CANARY}", 112: "    evry: 5min"},
    "above broken syntax": {111: f"    token: {CANARY}", 112: "    every: 5min: 3"},
    "in a flow map": {109: "    kind: http", 110: f"    url: {{token: {CANARY}}}"},
    "in several lines": {111: "    token: |", 112: f"      {CANARY}", 113: f"      {CANARY}"},
    "several lines above a mistake": {
        110: "    token: |",
        111: f"      {CANARY}",
        112: "    evry: 5min",
    },
    "in an address": {110: f"    url: https://user:{CANARY}@example.com/"},
    "password": {105: f"    password: {CANARY}"},
    "where a bundle belongs, in lines": {95: "    bundle: |", 96: f"      key: {CANARY}"},
}


@pytest.mark.parametrize("lines", PLACES.values(), ids=PLACES.keys())
def test_a_secret_is_shown_as_asterisks(bench: Bench, lines: dict[int, str]) -> None:
    outcome = bench.prepare(changed(SAMPLE, lines))
    assert outcome.problems
    told = human(outcome.problems)
    assert CANARY not in told + as_json(outcome.problems) + github(outcome.problems)
    assert CANARY not in repr(outcome.plan)


def test_the_exception_of_a_broken_file_carries_no_secret(bench: Bench) -> None:
    outcome = bench.prepare(changed(SAMPLE, {111: f"    token: '{CANARY}"}))
    located = outcome.problems[0]
    assert CANARY not in str(BrokenFileError(located))
