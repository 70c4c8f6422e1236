"""Fault 56: destinations, lines and the disk are cut one after the other, and come back anyhow.

A script in the simulation, whose judge looks for everything that is lost, and for what does not
recover once all is back.
"""

import random

import pytest

from tests.simulation.builds import BUILDS
from tests.simulation.cloud import Mood
from tests.simulation.events import lived
from tests.simulation.life import SOUND, Flaw
from tests.simulation.plant import Trouble
from tests.simulation.world import World

CUT_FROM_S, BACK_FROM_S, APART_S = 600.0, 4000.0, 200.0
PARTS = ("card", "deduplicates", "platform", "every wire")
BAD = (
    "a batch is dropped after three failures",
    "a driver that failed is never run again",
    "nothing heard counts as accepted",
)


def turn(part: str, *, well: bool, world: World) -> None:
    """One part stops working, or works again."""
    weather = world.weather
    if part == "card":
        (weather.card_is_well if well else weather.card_breaks)()
    elif part in world.clouds:
        weather.cloud_turns(world.clouds[part], Mood.WELL if well else Mood.OUT)
    else:
        for wire in world.wires.values():
            weather.wire_turns(wire, Trouble.NONE if well else Trouble.GONE)


def findings(seed: int, flaw: Flaw = SOUND) -> list[str]:
    """What the judge says of one order of cuts and one order of returns."""
    dice = random.Random(seed)  # noqa: S311 - a seed replays
    script = []
    for well, from_s in ((False, CUT_FROM_S), (True, BACK_FROM_S)):
        for place, part in enumerate(dice.sample(PARTS, len(PARTS))):
            at_s = from_s + (place + dice.uniform(0.0, 0.9)) * APART_S

            def happens(world: World, part: str = part, *, well: bool = well) -> None:
                turn(part, well=well, world=world)

            script.append((at_s, happens))
    return lived(script, flaw)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_everything_recovers_in_any_order(seed: int) -> None:
    assert findings(seed) == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("bad", BAD)
def test_a_build_that_gives_up_or_believes_is_caught(bad: str) -> None:
    assert findings(1, BUILDS[bad].flaw) != []
