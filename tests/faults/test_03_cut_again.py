"""Fault 3: the power is cut again during the recovery from a cut."""

import random

import pytest

from tests.lab.campaign import Plan, again, explored, judged, recorded

RECUTS = 40


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_second_cut_during_recovery_loses_nothing_either() -> None:
    findings = explored(Plan(recorded("--steps", "16"), seed=3, per_step=2, kept=2))
    assert findings.bad == 0
    chosen = random.Random(3).sample(findings.sample, RECUTS)  # noqa: S311 - repeatable
    plans = [
        Plan(again(state, "--steps", "2", "--since", "900"), seed=n, per_step=4, start=state)
        for n, state in enumerate(chosen)
    ]
    assert judged(plans).first == {}
