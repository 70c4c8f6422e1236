"""Every message of the catalogue, word by word: a folder of testcases/ is one message.

What stands in an excerpt of `expected.txt` is put into the sample at its line; `change.txt` holds
lines that the message does not show, in the same form.
"""

from pathlib import Path

import pytest

from agent.prepare.report import human
from tests.prepare.bench import HERE, SAMPLE, Bench, changed, excerpted

CASES = sorted(path.parent for path in (HERE / "testcases").glob("*/expected.txt"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistake_is_told_in_these_words(
    case: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.file.parent)
    expected = (case / "expected.txt").read_text(encoding="utf-8")
    change = case / "change.txt"
    lines = excerpted(expected)
    if change.exists():
        lines |= excerpted(change.read_text(encoding="utf-8"))
    bench.file = Path("gateway.yaml")

    outcome = bench.prepare(changed(SAMPLE, lines))

    assert human(outcome.problems) == expected


def test_the_sample_itself_is_without_fault(bench: Bench) -> None:
    outcome = bench.prepare()
    assert human(outcome.problems) == ""
    assert outcome.plan is not None
