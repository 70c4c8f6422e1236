"""What every point may say, whatever kind of device it belongs to."""

from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from agent.plan import Point
from agent.prepare.kinds import DeviceInput, DeviceSettings, ProfileSettings
from agent.prepare.points import PointSettings, point_of
from agent.prepare.quantities import Speed, speed
from tests.drivers.modbus import plant


def point(override: dict[str, str] | None = None, **keys: str) -> Point:
    points = {"level": override} if override else {}
    block = {"profile": "tank", "via": "wire", "points": points}
    profile = ProfileSettings.model_validate({"profile": "tank", "kind": "modbus"})
    device = DeviceInput("tank", DeviceSettings.model_validate(block), profile)
    return point_of("level", PointSettings.model_validate(keys), device, 5.0)


def refusal(**keys: str) -> Any:
    with pytest.raises(ValidationError) as caught:
        PointSettings.model_validate(keys)
    return str(caught.value)


def test_a_point_of_which_nothing_is_said_is_always_sent() -> None:
    assert point() == Point(every_s=5.0)


@pytest.mark.parametrize(
    ("written", "per_s"), [("5/s", 5.0), ("0.5 / min", 0.5 / 60), ("100/h", 100 / 3600)]
)
def test_a_rate_says_how_much_in_which_time(written: str, per_s: float) -> None:
    assert point(max_change=written).change_per_s == pytest.approx(per_s)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("100/s", Speed(readings=100.0)),
        ("600 / min", Speed(readings=10.0)),
        ("20kB/s", Speed(bytes=20_000.0)),
        ("1.2 MB/min", Speed(bytes=20_000.0)),
    ],
)
def test_a_rate_is_readings_or_bytes_on_the_line(written: str, found: Speed) -> None:
    assert speed(written) == found


@pytest.mark.parametrize("written", ["100", "20kB", "0/s", "0kB/s", "20 furlongs/s", "kB/s"])
def test_a_rate_that_says_too_little_is_explained(written: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        speed(written)
    assert caught.value.context is not None
    assert caught.value.context["fix"]


@pytest.mark.parametrize("written", ["5", "5/", "/s", "fast", "5 per s", "-1/s", "0/s", "5/sec"])
def test_what_is_no_rate_is_refused(written: str) -> None:
    assert refusal(max_change=written)


def test_one_of_deadband_and_silence_brings_the_other() -> None:
    changed, quiet = point(deadband="0.5"), point(silence="1h")
    assert (changed.deadband, changed.silence_s) == (0.5, 900.0)
    assert (quiet.deadband, quiet.silence_s) == (0.0, 3600.0)


@pytest.mark.parametrize("written", ["2%", "2 %", "2.0%"])
def test_a_deadband_may_be_a_share_of_the_value(written: str) -> None:
    found = point(deadband=written)
    assert (found.deadband, found.deadband_share) == (0.0, 0.02)
    assert point({"deadband": "3"}, deadband=written).deadband_share == 0.0


def test_a_deadband_below_zero_is_refused() -> None:
    assert "is below zero" in refusal(deadband="-1")
    assert "is below zero" in refusal(deadband="-1%")
    assert refusal(deadband="%")


def test_the_technicians_word_goes_before_the_profiles() -> None:
    own = {"max_change": "2/s", "deadband": "0", "silence": "1min", "max": "9"}
    found = point(own, max_change="1/s", deadband="5", silence="1h", min="0", max="10")
    assert found == Point(
        every_s=5.0, low=0, high=9, change_per_s=2.0, deadband=0.0, silence_s=60.0
    )


def test_the_technician_sets_and_moves_alarms() -> None:
    own = {"alarm_above": "9", "alarm_on_change": "no"}
    found = point(own, alarm_above="8", alarm_below="1", alarm_on_change="yes")
    assert found == Point(every_s=5.0, alarm_above=9, alarm_below=1)
    assert point({"alarm_on_change": "yes"}) == Point(every_s=5.0, alarm_on_change=True)


def test_only_a_counter_is_ever_full() -> None:
    assert "only a counter starts again" in refusal(wraps_at="1000")
    assert point(counter="yes", wraps_at="1e6").wraps_at == 1e6


@pytest.mark.parametrize(
    ("form", "full"),
    [
        ("uint16", 65536.0),
        ("uint32 scale=0.01", 42949672.96),
        ("bcd(8)", 1e8),
        ("decimal(8)", 1e8),
        ("int32", None),
        ("float32", None),
        ("uint32 wraps_at=1000000", 1e6),
    ],
)
def test_modbus_knows_from_its_registers_where_a_counter_is_full(
    form: str, full: float | None
) -> None:
    like = plant.profile(f"energy: holding 0 {form} counter=yes; power: holding 9 uint16")
    points = plant.on_host(1502, [plant.device("m", 1, like)]).devices["m"].points
    assert (points["energy"].wraps_at, points["power"].wraps_at) == (full, None)
