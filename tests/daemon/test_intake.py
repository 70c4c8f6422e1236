"""The border: what is not a plausible value stays outside, with its reason; the rest goes on."""

import math
from collections.abc import Mapping

import pytest

from agent import plan
from agent.daemon.history import History
from agent.daemon.intake import INT_HIGH, TEXT_MAX, VALUES_MAX, Intake
from agent.driver import DeviceFault, Reason
from agent.sample import Sample, Value
from tests.daemon.health.bakery import ObedientClock, device, site

POINTS = {
    "temperature": plan.Point("Cel", low=-40, high=85),
    "power": plan.Point("W", low=0),
    "energy": plan.Point("kWh", counter=True),
    "text": plan.Point(),
}


class Border:
    """An intake with a list behind it, and a watcher that remembers."""

    def __init__(self) -> None:
        clock = ObedientClock()
        running = site(device("cold-room", points=POINTS))
        self.history = History(running, clock)
        self.clock = clock
        self.kept: list[Sample] = []
        self.told: list[tuple[Sample, int, Mapping[str, DeviceFault]]] = []
        self.faults: list[tuple[str, str | None, DeviceFault]] = []
        self.restarts: list[tuple[str, str, float, float]] = []
        self.intake = Intake(running, clock, self, self.history, self.put)

    async def put(self, sample: Sample) -> None:
        self.kept.append(sample)

    def sample(self, sample: Sample, *, checked: int, bad: Mapping[str, DeviceFault]) -> None:
        self.told.append((sample, checked, bad))

    def fault(self, device: str, point: str | None, error: DeviceFault) -> None:
        self.faults.append((device, point, error))

    def began_again(self, device: str, point: str, before: float, now: float) -> None:
        self.restarts.append((device, point, before, now))

    async def takes(self, values: Mapping[str, Value]) -> Mapping[str, DeviceFault]:
        await self.intake.put(Sample("cold-room", self.clock.now(), values, urgent=True))
        return self.told[-1][2]


async def test_a_good_sample_goes_on_as_it_is() -> None:
    border = Border()
    values: Mapping[str, Value] = {"temperature": 4.1, "power": 0, "energy": 2**40, "text": "öfen"}
    bad = await border.takes(values)

    assert bad == {}
    assert border.kept[0].values is values
    assert border.told[0][1] == 2  # only two of them have a range


@pytest.mark.parametrize(
    ("point", "value", "reason"),
    [
        ("temperature", 214.0, Reason.OUT_OF_RANGE),
        ("temperature", -41, Reason.OUT_OF_RANGE),
        ("temperature", math.nan, Reason.NOT_A_NUMBER),
        ("temperature", math.inf, Reason.NOT_A_NUMBER),
        ("power", -0.1, Reason.OUT_OF_RANGE),
        ("energy", -math.inf, Reason.NOT_A_NUMBER),
        ("energy", math.nan, Reason.NOT_A_NUMBER),
        ("energy", INT_HIGH + 1, Reason.OUT_OF_RANGE),
        ("energy", 10**400, Reason.NOT_A_NUMBER),
        ("text", "x" * (TEXT_MAX + 1), Reason.UNREADABLE),
        ("text", "\ud800", Reason.UNREADABLE),
        ("text", None, Reason.NOT_A_NUMBER),
        ("text", [1], Reason.NOT_A_NUMBER),
        ("unheard-of", math.nan, Reason.NOT_A_NUMBER),
    ],
)
@pytest.mark.parametrize("count", [1, 50])
async def test_what_is_no_plausible_value_stays_outside_and_the_rest_goes_on(
    point: str, value: Value, reason: Reason, count: int
) -> None:
    border = Border()
    good: dict[str, Value] = {f"good-{n}": float(n) for n in range(count)}
    bad = await border.takes({**good, point: value})

    assert {name: fault.reason for name, fault in bad.items()} == {point: reason}
    assert border.kept[0].values == good
    assert border.kept[0].urgent
    assert border.told[0][0] is border.kept[0]


async def test_of_many_values_those_with_a_range_are_counted_as_checked() -> None:
    border = Border()
    many: dict[str, Value] = {f"good-{n}": n for n in range(50)}
    assert await border.takes({**many, "temperature": 4.1, "power": 0}) == {}
    assert border.told[0][1] == 2


async def test_the_ends_of_a_range_belong_to_it() -> None:
    border = Border()

    assert await border.takes({"temperature": -40.0}) == {}
    assert await border.takes({"temperature": 85}) == {}


async def test_the_sentence_names_value_and_range() -> None:
    border = Border()
    bad = await border.takes({"temperature": 214.0, "power": -3})

    assert {name: fault.message for name, fault in bad.items()} == {
        "temperature": "temperature 214 Cel is outside -40 … 85 and was not sent",
        "power": "power -3 W is below 0 and was not sent",
    }


async def test_a_sample_without_good_values_is_told_and_not_kept() -> None:
    border = Border()
    await border.takes({})
    await border.takes({"temperature": math.nan})

    assert border.kept == []
    assert [told[0].values for told in border.told] == [{}, {}]


async def test_of_a_flood_only_what_the_plan_knows_goes_on() -> None:
    border = Border()
    flood = {f"x{n}": 1.0 for n in range(VALUES_MAX)}
    await border.takes(flood | {"temperature": 4.0})

    assert border.kept[0].values == {"temperature": 4.0}


async def test_what_was_kept_is_in_the_history_and_what_was_not_is_not() -> None:
    border = Border()
    await border.takes({"temperature": 4.0})
    await border.takes({"temperature": 400.0})
    rows = border.history.samples("cold-room", None, 10).rows

    assert [row.values for row in rows] == [{"temperature": 4.0}]


async def test_a_fault_is_passed_on() -> None:
    border = Border()
    fault = DeviceFault(Reason.NO_ANSWER, "no answer")
    border.intake.fault("cold-room", None, fault)

    assert border.faults == [("cold-room", None, fault)]
