"""Fault 2: a cut at every boundary of commit, receipt, delete, checkpoint, start and stop."""

import pytest

from tests.lab.campaign import Plan, explored, recorded

ENOUGH = 10_000  # distinct states a run of CI judges


@pytest.mark.slow
@pytest.mark.timeout(480)
def test_every_state_a_cut_may_leave_holds_everything_that_was_committed() -> None:
    ops = recorded("--steps", "110", "--restarts", "3")
    findings = explored(Plan(ops, seed=2, per_step=24))
    assert findings.first == {}
    assert len(findings.prints) >= ENOUGH


@pytest.mark.parametrize("build", ["normal", "off", "split", "early"])
def test_a_build_that_breaks_its_promise_is_caught(build: str) -> None:
    ops = recorded("--steps", "16", "--build", build)
    assert explored(Plan(ops, seed=2, per_step=3)).bad > 0
