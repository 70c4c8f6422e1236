"""The judge of the simulation is judged: every build that is known to be bad has to be caught."""

import pytest

from tests.simulation.flaws import FLAWS
from tests.simulation.world import Scenario, simulate

SEEDS = range(1, 7)  # until one catches it; the first often does
STORM = 150.0  # faults a day


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", FLAWS)
def test_a_bad_build_is_caught(name: str) -> None:
    flaw = FLAWS[name]
    scenarios = (
        Scenario(seed, days=1.0, faults_a_day=STORM, pace=2.0, flaw=flaw) for seed in SEEDS
    )
    assert any(simulate(scenario).findings for scenario in scenarios)
