"""What makes a sample an alarm: told at once when it comes and when it goes, and not in between."""

import pytest

from agent import plan
from agent.daemon.health import Health
from agent.daemon.history import History
from agent.daemon.intake import Intake
from agent.sample import Sample, Value
from tests.daemon.health.bakery import ObedientClock, device, site


class Road:
    """An intake that remembers which samples were urgent."""

    def __init__(self, **points: plan.Point) -> None:
        self.clock = ObedientClock()
        running = site(device("tank", points={**points, "other": plan.Point()}))
        health, history = Health(running, self.clock), History(running, self.clock)
        self.urgent: list[bool] = []
        self.intake = Intake(running, self.clock, health, history, self.put)

    async def put(self, sample: Sample) -> None:
        self.urgent.append(sample.urgent)

    async def reads(self, *levels: Value) -> list[bool]:
        """Whether each of them was an alarm."""
        self.urgent.clear()
        for level in levels:
            await self.intake.put(Sample("tank", self.clock.now(), {"level": level, "other": 1}))
        return self.urgent


async def test_a_limit_is_told_when_it_is_crossed_and_when_it_is_left() -> None:
    road = Road(level=plan.Point("m", alarm_above=8.0, alarm_below=1.0))
    assert await road.reads(5.0, 8.0, 8.1, 9.0, 7.9, 7.0, 0.5, 0.4, 2.0) == [
        False, False, True, False, True, False, True, False, True,
    ]  # fmt: skip


async def test_what_is_beyond_its_limit_at_the_first_reading_is_an_alarm() -> None:
    assert await Road(level=plan.Point("m", alarm_above=8.0)).reads(9.0, 9.0) == [True, False]


async def test_noise_around_a_limit_is_one_alarm_where_there_is_a_deadband() -> None:
    noisy = (7.9, 8.1, 7.9, 8.1, 7.4)
    road = Road(level=plan.Point("m", alarm_above=8.0, deadband=0.5, silence_s=9999.0))
    assert [told for told in await road.reads(*noisy) if told] == [True, True]
    bare = Road(level=plan.Point("m", alarm_above=8.0))
    assert await bare.reads(*noisy) == [False, True, True, True, True]


@pytest.mark.parametrize("states", [(False, False, True, True, False), ("a", "a", "b", "b", "a")])
async def test_a_state_is_told_when_it_is_another_one(states: tuple[Value, ...]) -> None:
    road = Road(level=plan.Point(alarm_on_change=True))
    assert await road.reads(*states) == [False, False, True, False, True]


async def test_a_value_that_cannot_be_true_is_no_alarm() -> None:
    road = Road(level=plan.Point("m", high=20.0, alarm_above=8.0))
    assert await road.reads(5.0, 6553.5, 5.0, 9.0) == [False, False, False, True]


async def test_nothing_is_urgent_of_which_nothing_is_said() -> None:
    assert await Road(level=plan.Point("m")).reads(1.0, 99.0) == [False, False]
