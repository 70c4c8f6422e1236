"""How fast a value may change, and which way a counter goes: judged behind every driver."""

import pytest

from agent import plan
from agent.daemon.pace import Pace
from agent.driver import Reason
from agent.sample import Instant, Sample, Value

POINTS = {
    "level": plan.Point("m", every_s=1.0, change_per_s=0.5),
    "ranged": plan.Point("m", every_s=1.0, low=0, high=10, change_per_s=0.5),
    "pulses": plan.Point(counter=True, wraps_at=65536.0, change_per_s=10.0, every_s=1.0),
    "energy": plan.Point("kW.h", counter=True, wraps_at=65536.0),
    "total": plan.Point("m3", counter=True),
    "plain": plan.Point(),
}


class Meter:
    """A device whose values come second by second."""

    def __init__(self) -> None:
        self.restarts: list[tuple[str, str, float, float]] = []
        self.pace = Pace("meter", POINTS, self.began_again)
        self.now_s = 1000.0

    def began_again(self, device: str, point: str, before: float, now: float) -> None:
        self.restarts.append((device, point, before, now))

    def fast(self, after_s: float = 1.0, **values: Value) -> list[str]:
        self.now_s += after_s
        at = Instant("boot", int(self.now_s * 1e9), 0, trusted=True)
        return list(self.pace.judge(Sample("meter", at, values), {})[0])


def test_a_spike_stays_outside_and_what_follows_does_not() -> None:
    meter = Meter()
    assert [meter.fast(level=v) for v in (2.0, 2.4, 9.0, 2.5, 2.9)] == [[], [], ["level"], [], []]


def test_a_step_that_is_true_comes_through_once_it_had_the_time_for_it() -> None:
    meter = Meter()
    meter.fast(level=0.0)
    assert [bool(meter.fast(level=2.0)) for _ in range(5)] == [True, True, True, False, False]


def test_a_read_that_comes_a_little_early_is_not_a_faster_change() -> None:
    meter = Meter()
    meter.fast(level=0.0)
    assert meter.fast(after_s=0.7, level=0.5) == []


def test_the_sentence_says_how_fast_it_was_and_how_fast_it_may_be() -> None:
    meter = Meter()
    meter.fast(level=2.0)
    meter.now_s += 1.0
    at = Instant("boot", int(meter.now_s * 1e9), 0, trusted=True)
    faults, checked = meter.pace.judge(Sample("meter", at, {"level": 9.0}), {})
    fault = faults["level"]
    assert fault.reason is Reason.OUT_OF_RANGE
    assert fault.message == (
        "level went from 2 to 9 m in 1 s, faster than 0.5 m a second, and was not sent"
    )
    assert checked == 1


def test_a_value_is_counted_once_as_checked_whatever_limits_it_has() -> None:
    at = Instant("boot", 0, 0, trusted=True)
    sample = Sample("meter", at, {"level": 1.0, "ranged": 1.0, "plain": 1.0, "total": 1})
    assert Meter().pace.judge(sample, {})[1] == 1


def test_a_counter_that_was_nearly_full_goes_on_from_zero() -> None:
    meter = Meter()
    assert [meter.fast(pulses=v) for v in (65530, 65535, 3, 9)] == [[], [], [], []]
    assert meter.fast(pulses=100) == ["pulses"]
    assert meter.restarts == []


def test_a_counter_that_was_not_nearly_full_has_started_anew() -> None:
    meter = Meter()
    for value in (30000, 0, 5):
        assert meter.fast(energy=value) == []
    assert meter.restarts == [("meter", "energy", 30000, 0)]


def test_a_counter_whose_end_nobody_knows_always_starts_anew() -> None:
    meter = Meter()
    for value in (4294967290.0, 12.0):
        assert meter.fast(total=value) == []
    assert meter.restarts == [("meter", "total", 4294967290.0, 12.0)]


@pytest.mark.parametrize("value", ["text", True])
def test_what_is_no_number_has_no_pace(value: Value) -> None:
    meter = Meter()
    assert [meter.fast(level=v) for v in (1.0, value, 1.2)] == [[], [], []]
