"""Fault 67: more than thirty gateway days by chance, some minutes of real time, none slept."""

import pytest

from tests.simulation.running import simulate
from tests.simulation.world import Scenario

pytestmark = pytest.mark.timeout(300)

DAYS = 4.0
PACE = 3.0  # a third of the samples a day: what is tested is what happens between them
SEEDS = range(1, 10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_every_promise_holds_whatever_happens(seed: int) -> None:
    outcome = simulate(Scenario(seed, DAYS, pace=PACE))
    assert not outcome.findings, told(outcome.findings, seed)
    assert outcome.counts["lives"] > DAYS
    assert outcome.counts["delivered platform"] > 0


def test_the_same_seed_runs_the_same_way() -> None:
    first, second = (simulate(Scenario(3, days=0.3)) for _ in range(2))
    assert first == second
    assert first.said
    assert first.counts["served"]


def told(findings: list[str], seed: int) -> str:
    """What was found, and how to see it again."""
    command = f"python -m tests.simulation --seed {seed} --days {DAYS:g} --pace {PACE:g} --story"
    return "\n".join([*findings[:5], f"replay: {command}"])
