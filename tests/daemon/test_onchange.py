"""Report on change: what stands still is sent once in a while, and its device stays healthy."""

import asyncio

import pytest

from agent import plan
from agent.daemon.health import Health
from agent.daemon.health.words import DeviceState
from agent.daemon.history import History
from agent.daemon.intake import Intake
from agent.sample import Sample, Value
from tests.daemon.health.bakery import QUIET, ObedientClock, device, site

POINTS = {
    "power": plan.Point("W", every_s=10.0, deadband=5.0, silence_s=60.0),
    "mode": plan.Point(every_s=10.0, deadband=0.0, silence_s=600.0),
    "voltage": plan.Point("V", every_s=10.0),
}


class Road:
    """The whole way behind a driver, with a list at its end."""

    def __init__(self, **points: plan.Point) -> None:
        self.clock = ObedientClock()
        running = site(device("meter", points=points or POINTS))
        self.health = Health(running, self.clock)
        self.history = History(running, self.clock)
        self.kept: list[Sample] = []
        self.refuses = False
        self.intake = Intake(running, self.clock, self.health, self.history, self.put)

    async def put(self, sample: Sample) -> None:
        if self.refuses:
            raise asyncio.CancelledError
        self.kept.append(sample)

    async def reads(self, *, urgent: bool = False, **values: Value) -> dict[str, Value]:
        """What of these values is sent."""
        before = len(self.kept)
        await self.intake.put(Sample("meter", self.clock.now(), values, urgent))
        self.clock.go(10)
        return dict(self.kept[-1].values) if len(self.kept) > before else {}


async def test_only_what_left_its_deadband_is_sent_and_others_pass() -> None:
    road = Road()
    assert await road.reads(power=100, voltage=230) == {"power": 100, "voltage": 230}
    assert await road.reads(power=104, voltage=230) == {"voltage": 230}
    assert await road.reads(power=106, voltage=230) == {"power": 106, "voltage": 230}


async def test_a_deadband_in_percent_is_of_what_was_sent_last() -> None:
    road = Road(power=plan.Point("W", deadband=0.0, deadband_share=0.02, silence_s=9999.0))
    sent = [await road.reads(power=value) for value in (1000, 1020, 1021, 1040, -1000, -1019, 0, 1)]
    assert [values["power"] for values in sent if values] == [1000, 1021, -1000, 0, 1]


async def test_a_slow_drift_is_sent_too() -> None:
    road = Road(power=plan.Point("W", deadband=5.0, silence_s=9999.0))
    sent = [await road.reads(power=100 + 2 * n) for n in range(7)]
    assert [values["power"] for values in sent if values] == [100, 106, 112]


async def test_a_text_is_sent_when_it_is_another() -> None:
    road = Road()
    sent = [await road.reads(mode=word) for word in ("auto", "auto", "off", "off")]
    assert sent == [{"mode": "auto"}, {}, {"mode": "off"}, {}]


async def test_silence_is_a_maximum() -> None:
    road = Road(power=POINTS["power"])
    sent = [bool(await road.reads(power=100)) for _ in range(13)]
    assert [n * 10 for n, was in enumerate(sent) if was] == [0, 60, 120]


async def test_a_device_whose_values_stand_still_is_healthy_and_shows_them_all() -> None:
    road = Road(power=plan.Point("W", every_s=10.0, deadband=5.0, silence_s=9999.0))
    for step in range(60):
        await road.reads(power=100 + step % 3)
    report = road.health.report(QUIET)
    assert len(road.kept) == 1
    assert report.devices["meter"].state is DeviceState.OK
    assert report.devices["meter"].values == {"power": 102}
    assert report.devices["meter"].message_count == 60
    assert len(road.history.samples("meter", None, 100).rows) == 60


async def test_what_is_urgent_is_sent_as_a_whole() -> None:
    road = Road()
    await road.reads(power=100, mode="auto")
    assert await road.reads(urgent=True, power=100, mode="auto") == {"power": 100, "mode": "auto"}


async def test_what_was_not_accepted_was_not_sent() -> None:
    road = Road(power=POINTS["power"])
    await road.reads(power=100)
    road.refuses = True
    with pytest.raises(asyncio.CancelledError):
        await road.reads(power=200)
    road.refuses = False
    assert await road.reads(power=200) == {"power": 200}


async def test_a_spike_is_told_and_neither_sent_nor_shown() -> None:
    road = Road(level=plan.Point("m", every_s=10.0, change_per_s=0.1, deadband=0.1, silence_s=60))
    sent = [await road.reads(level=v) for v in (2.0, 80.0, 2.5)]
    assert sent == [{"level": 2.0}, {}, {"level": 2.5}]
    report = road.health.report(QUIET)
    assert report.devices["meter"].failures_total == {"out_of_range": 1}


async def test_a_counter_that_starts_anew_is_an_event() -> None:
    road = Road(energy=plan.Point("kW.h", counter=True, wraps_at=2.0**32))
    for value in (3190.2, 0.1, 0.2):
        assert await road.reads(energy=value) == {"energy": value}
    (event,) = road.health.events()
    assert event["event"] == "value.began_again"
    assert event["message"] == "meter: energy counts from 0.1 again; it was 3190.2."
