"""The newest samples and a day in steps: whole as far back as they say, bounded, in order."""

import sys
from collections.abc import Mapping
from itertools import pairwise

import pytest

from agent import plan
from agent.daemon.history import CELLS, SAMPLES, STEP_NS, STEPS, History
from agent.sample import Sample, Value
from tests.daemon.health.bakery import WALL_NS, ObedientClock, device, site


class Diary:
    """One device's history."""

    def __init__(self, points: int = 3) -> None:
        self.clock = ObedientClock()
        spec = {f"p{n}": plan.Point() for n in range(points)}
        self.history = History(site(device("meter", points=spec)), self.clock)

    def notes(self, seconds: float = 1.0, **values: Value) -> None:
        self.clock.go(seconds)
        self.history.record(Sample("meter", self.clock.now(), values))

    def rows(self, since_ns: int | None = None, limit: int = 1000) -> list[Mapping[str, Value]]:
        return [row.values for row in self.history.samples("meter", since_ns, limit).rows]


def test_values_come_back_as_they_were() -> None:
    diary = Diary()
    diary.notes(power=1.5, count=7, open=True, text="on")
    diary.notes(power=2.5)
    diary.notes(count=2**62, power=-0.0)

    assert diary.rows() == [
        {"power": 1.5, "count": 7, "open": True, "text": "on"},
        {"power": 2.5},
        {"power": -0.0, "count": 2**62},
    ]


def test_a_point_that_changes_its_mind_about_its_type_is_kept_all_the_same() -> None:
    diary = Diary()
    diary.notes(x=1)
    diary.notes(x=1.5)
    diary.notes(x="broken")
    diary.notes(y=1.0)
    diary.notes(y="?")

    assert diary.rows() == [{"x": 1}, {"x": 1.5}, {"x": "broken"}, {"y": 1.0}, {"y": "?"}]


def test_the_newest_six_hundred_are_kept_and_it_is_said_since_when_they_are_whole() -> None:
    diary = Diary()
    for number in range(SAMPLES + 50):
        diary.notes(n=number)
    answer = diary.history.samples("meter", None, 1000)

    assert [row.values["n"] for row in answer.rows] == list(range(50, SAMPLES + 50))
    assert answer.complete_since_ns == answer.rows[0].wall_ns


def test_an_old_value_does_not_shine_through_when_the_ring_comes_round() -> None:
    diary = Diary()
    diary.notes(a=1.0, b=1)
    for _ in range(SAMPLES):
        diary.notes(a=2.0)

    assert {tuple(row) for row in diary.rows()} == {("a",)}


def test_without_a_beginning_the_newest_come_and_after_one_the_next() -> None:
    diary = Diary()
    for number in range(10):
        diary.notes(n=number)
    third_ns = WALL_NS + 3_000_000_000

    assert [row["n"] for row in diary.rows(limit=2)] == [8, 9]
    assert [row["n"] for row in diary.rows(third_ns, limit=2)] == [3, 4]


def test_steps_have_lowest_mean_and_highest_and_gaps_stay_gaps() -> None:
    diary = Diary()
    diary.notes(3, power=1.0)
    for value in (1.0, 2.0, 6.0):
        diary.notes(60, power=value)
    diary.notes(1200, power=9.0)
    rows = diary.history.steps("meter", None, 100).rows

    assert [row.wall_ns % STEP_NS for row in rows] == [0, 0, 0]
    assert (rows[-1].wall_ns - rows[-2].wall_ns) // STEP_NS == 4
    first, second, _ = (row.values["power"] for row in rows)
    assert (first.low, first.mean, first.high, first.n) == (1.0, 1.333333, 2.0, 3)
    assert (second.low, second.high, second.n) == (6.0, 6.0, 1)


def test_a_step_with_more_samples_than_the_ring_loses_none_of_them() -> None:
    diary = Diary()
    diary.clock.go(200)
    for number in range(2 * SAMPLES):
        diary.notes(0.1, power=float(number))
    fold = diary.history.steps("meter", None, 1).rows[0].values["power"]

    assert (fold.low, fold.high, fold.n) == (0.0, 2 * SAMPLES - 1, 2 * SAMPLES)
    assert fold.mean == pytest.approx((2 * SAMPLES - 1) / 2)


def test_steps_are_kept_for_a_day() -> None:
    diary = Diary()
    for _ in range(STEPS + 20):
        diary.notes(300, power=1.0)

    assert len(diary.history.steps("meter", None, 1000).rows) == STEPS + 1


def test_texts_and_missing_values_have_no_steps() -> None:
    diary = Diary()
    diary.notes(text="on", count=5, mixed=1)
    diary.notes(count=7, mixed="?")
    diary.notes(power=1.0)
    folds = diary.history.steps("meter", None, 1).rows[0].values

    assert {name: (fold.low, fold.high, fold.n) for name, fold in folds.items()} == {
        "count": (5, 7, 2), "mixed": (1, 1, 1), "power": (1.0, 1.0, 1),
    }  # fmt: skip


def test_a_sample_taken_before_the_clock_was_set_gets_its_time_when_it_is() -> None:
    diary = Diary()
    diary.clock.trusted = False
    diary.clock.step_wall(-400 * 86_400)
    diary.notes(power=1.0)
    before = diary.history.samples("meter", None, 1).rows[0]
    diary.clock.step_wall(400 * 86_400)
    diary.clock.trusted = True
    diary.clock.go(5)
    after = diary.history.samples("meter", None, 1).rows[0]

    assert (before.trusted, before.wall_ns) == (False, WALL_NS - 400 * 86_400 * 10**9 + 10**9)
    assert (after.trusted, after.wall_ns) == (True, WALL_NS + 10**9)


@pytest.mark.parametrize("step_s", [-400 * 86_400, 20 * 365 * 86_400])
def test_steps_stay_in_order_when_the_wall_clock_jumps(step_s: float) -> None:
    diary = Diary()
    for _ in range(5):
        diary.notes(300, power=1.0)
    diary.clock.step_wall(step_s)
    for _ in range(5):
        diary.notes(300, power=2.0)
    rows = diary.history.steps("meter", None, 100).rows

    assert [b.wall_ns - a.wall_ns for a, b in pairwise(rows)] == [STEP_NS] * 9


def test_a_large_plant_sees_fewer_samples_back_and_memory_stays_bounded() -> None:
    diary = Diary(points=2000)
    values = {f"p{n}": float(n) for n in range(2000)}
    for _ in range(SAMPLES):
        diary.notes(**values)
    track = diary.history._tracks["meter"]  # noqa: SLF001 - its size is what is promised
    columns = track._columns._columns  # noqa: SLF001 - likewise

    assert len(diary.rows()) == CELLS // 2000
    assert sum(sys.getsizeof(column.cells) for column in columns.values()) < 2_000_000
