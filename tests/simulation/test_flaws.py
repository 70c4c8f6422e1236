"""The judge of the simulation is judged: every build that is known to be bad has to be caught."""

import pytest

from tests.simulation.builds import BUILDS
from tests.simulation.events import lived
from tests.simulation.running import simulate
from tests.simulation.world import Scenario

pytestmark = pytest.mark.timeout(300)

SEEDS = range(1, 7)  # until one catches it; the first often does
STORM = 150.0  # faults a day


@pytest.mark.parametrize("name", BUILDS)
def test_a_bad_build_is_caught(name: str) -> None:
    bad = BUILDS[name]
    if bad.script:
        assert lived(bad.script, bad.flaw, bad.kind)
        return
    scenarios = (
        Scenario(seed, days=1.0, faults_a_day=STORM, pace=2.0, flaw=bad.flaw) for seed in SEEDS
    )
    assert any(simulate(scenario).findings for scenario in scenarios)


@pytest.mark.parametrize("name", [name for name, bad in BUILDS.items() if bad.script])
def test_the_sound_build_lives_through_the_same(name: str) -> None:
    assert lived(BUILDS[name].script, kind=BUILDS[name].kind) == []
