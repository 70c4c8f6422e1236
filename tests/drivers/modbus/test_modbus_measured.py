"""What a line knows of itself: how busy it is, how fast its devices answer, what it skipped."""

import pytest

from agent.driver.figures import EDGES_S
from drivers.modbus.measured import ANSWERS, Measured


def test_a_line_is_as_busy_as_it_was_in_the_last_five_minutes() -> None:
    line = Measured([])
    for second in range(1000):
        line.used(second, second + (0.12 if second < 400 else 0.5), "meter")
    assert line.figures(400.0).busy > 0.12
    assert line.figures(1000.0).busy == pytest.approx(0.5, abs=0.02)


def test_a_line_that_just_began_is_judged_by_the_time_it_had() -> None:
    line = Measured([])
    for second in range(100, 110):
        line.used(second, second + 0.25, "meter")
    assert line.figures(110.0).busy == pytest.approx(0.25)


def test_a_line_that_fell_silent_is_idle_after_five_minutes() -> None:
    line = Measured([])
    line.used(0.0, 10.0, "meter")
    assert line.figures(400.0).busy == 0.0


def test_a_line_nobody_used_yet_is_idle() -> None:
    assert Measured(["meter"]).figures(5.0).busy == 0.0
    assert Measured(["meter"]).figures(5.0).answers_s == {}


def test_one_slow_answer_does_not_move_the_median_and_a_slow_device_does() -> None:
    line = Measured(["meter"])
    for took_s in (0.018, 0.017, 2.0, 0.019, 0.018):
        line.answered("meter", took_s)
    assert line.figures(0.0).answers_s == {"meter": 0.018}
    for _ in range(ANSWERS):
        line.answered("meter", 0.25)
    assert line.figures(0.0).answers_s == {"meter": 0.25}


def test_what_a_device_thinks_is_what_it_took_without_the_bytes_on_the_wire() -> None:
    line = Measured(["meter"])
    for took_s in (0.030, 0.028, 0.032):
        line.answered("meter", took_s, talked_s=0.025)
    assert line.figures(0.0).latency_s == {"meter": pytest.approx(0.005)}


def test_each_device_has_its_share_and_strangers_have_none() -> None:
    line = Measured(["fast", "slow"])
    for second in range(100):
        line.used(second, second + 0.1, "fast")
        line.used(second + 0.1, second + 0.4, "slow")
        line.used(second + 0.4, second + 0.5, "scan")
    found = line.figures(100.0)
    assert found.busy == pytest.approx(0.5, abs=0.01)
    assert found.shares == {"fast": pytest.approx(0.1), "slow": pytest.approx(0.3)}


def test_a_device_that_is_not_configured_is_not_remembered() -> None:
    line = Measured(["meter"])
    line.answered("scan", 0.1)
    assert line.figures(0.0).answers_s == {}


def test_reads_are_counted_by_their_length() -> None:
    line = Measured([])
    for took_s in (0.004, 0.005, 0.3, 60.0):
        line.polled(took_s)
    found = line.figures(0.0)
    assert len(found.polls) == len(EDGES_S) + 1
    assert found.polls[0] == 2
    assert found.polls[EDGES_S.index(0.5)] == 1
    assert found.polls[-1] == 1
    assert found.polls_s == pytest.approx(60.309)
