"""Scores by hand: the example of the design, null handling, monotony, weights."""

from hypothesis import given
from hypothesis import strategies as st

from agent import plan
from agent.daemon.health import score
from agent.daemon.health.score import WEIGHTS, Part
from agent.daemon.health.words import Component
from agent.driver import DeviceFault, Reason
from tests.daemon.health.bakery import Bakery, device

REFUSES = DeviceFault(Reason.REFUSES_CONNECTION, "heard, but it refuses connections")
shares = st.floats(0, 1)


def test_the_example_of_the_design_comes_out_as_computed_by_hand() -> None:
    """Section 3.3: six well, `inverter` 38 s old, 14 of 360 reads failed, `vibration` never."""
    well = [f"meter-{n}" for n in range(6)]
    bakery = Bakery(
        *(device(name) for name in well),
        device("inverter", "lan"),
        device("vibration", "radio", 30.0),
    )
    for read in range(360):
        bakery.clock.go(9)  # so that all of it lies within the hour
        bakery.speaks(*well)
        bakery.speaks("inverter") if read % 25 != 24 else bakery.fails("inverter")
        bakery.fails("vibration", REFUSES)
        bakery.health.look(bakery.around)
    bakery.clock.go(38)
    bakery.speaks(*well)
    report = bakery.health.report(bakery.around)
    inverter, vibration = report.devices["inverter"], report.devices["vibration"]

    assert {c: score.cut(p.value) for c, p in inverter.parts.items()} == {
        "uptime": 1.0, "error_rate": 0.96, "freshness": 0.97, "sensor_range": 1.0,
    }  # fmt: skip
    assert (inverter.state, score.cut(inverter.score)) == ("late", 0.98)
    assert vibration.parts[Component.SENSOR_RANGE].value is None
    assert (vibration.state, vibration.score) == ("never", 0.0)
    assert {c: score.cut(p.value) for c, p in report.parts.items()} == {
        "uptime": 0.87, "error_rate": 0.87, "freshness": 0.87, "sensor_range": 1.0,
    }  # fmt: skip
    assert score.cut(report.score) == 0.89
    assert {p.device for p in report.parts.values()} == {"vibration", None}
    assert [p.reason for p in vibration.parts.values()] == [
        "never_answered", "refuses_connection", "never", "not_measured",
    ]  # fmt: skip


def test_the_weights_sum_to_one() -> None:
    assert sum(WEIGHTS.values()) == 1.0


def test_what_is_not_measured_is_left_out_and_the_others_are_scaled_up() -> None:
    parts = dict.fromkeys(Component, score.NOT_MEASURED)
    parts[Component.UPTIME] = Part(1.0, "steady")
    parts[Component.FRESHNESS] = Part(0.5, "late")

    assert score.score(parts) == (0.25 + 0.15) / 0.55


def test_a_new_device_has_no_score_rather_than_a_bad_one() -> None:
    bakery = Bakery()
    report = bakery.health.report(bakery.around)

    assert report.devices["meter"].score is None
    assert {p.reason for p in report.devices["meter"].parts.values()} == {"not_measured"}


def test_two_decimals_are_cut_so_that_one_means_perfect() -> None:
    assert [score.cut(v) for v in (1.0, 0.99999, 0.29, 0.0, None)] == [1.0, 0.99, 0.29, 0.0, None]


@given(st.tuples(shares, shares, shares, shares), st.sampled_from(list(Component)), shares)
def test_the_score_never_falls_when_a_component_rises(
    found: tuple[float, ...], which: Component, other: float
) -> None:
    values = dict(zip(Component, found, strict=True))
    low, high = sorted((values[which], other))
    before, after = (
        score.score({c: Part(v, "") for c, v in (values | {which: value}).items()})
        for value in (low, high)
    )

    assert before is not None
    assert after is not None
    assert 0 <= before <= after <= 1 + 1e-12


@given(st.floats(0, 10_000), st.floats(10, 1000), st.floats(0, 1000))
def test_freshness_only_falls_with_age(age_s: float, late_s: float, more_s: float) -> None:
    assert score.freshness(age_s + more_s, late_s) <= score.freshness(age_s, late_s)


def test_a_point_that_always_fails_costs_its_share_and_not_the_whole_device() -> None:
    points = {f"p{n}": plan.Point("W") for n in range(10)}
    bakery = Bakery(device("meter", points=points))
    refused = DeviceFault(Reason.REFUSED, "refuses to read input 5000 (illegal address)")
    for _ in range(100):
        bakery.clock.go(10)
        bakery.speaks("meter", p1=1.0)
        bakery.fails("meter", refused, "p5")
    part = bakery.health.report(bakery.around).devices["meter"].parts[Component.ERROR_RATE]

    assert (score.cut(part.value), part.reason) == (0.9, "refused_by_device")
    assert bakery.said == []
    bakery.health.look(bakery.around)
    assert bakery.said == ["meter: refuses to read input 5000 (illegal address)."]


def test_an_outage_is_forgotten_after_a_day() -> None:
    bakery = Bakery()
    bakery.runs(3600)
    for _ in range(26):  # a look an hour books the same time as one every ten seconds
        bakery.clock.go(3600)
        bakery.speaks("meter")
        bakery.health.look(bakery.around)
    part = bakery.health.report(bakery.around).devices["meter"].parts[Component.UPTIME]

    assert (part.value, part.reason) == (1.0, "steady")
