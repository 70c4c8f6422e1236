"""What a card shows of a device with more values than it has room for."""

from agent.plan import Json
from agent.status import cards


def device(**points: str | None) -> Json:
    head = {
        "id": "meter", "state": "ok", "age_s": 1.0, "interval_s": 1.0, "profile": "p",
        "connection": "c", "message": None, "action": None, "health": {"score": 1.0},
    }  # fmt: skip
    return head | {
        "points": {name: {"unit": unit} for name, unit in points.items()},
        "telemetry_summary": {"last_value": dict.fromkeys(points, 1.0)},
    }


def shown(found: Json) -> list[str]:
    return [value["point"] for value in cards.of({"meter": found})[0]["values"]]


def test_power_comes_first_and_three_phases_do_not_take_every_place() -> None:
    meter = device(voltage_l1="V", power="W", power_l1="W", power_l2="W", frequency="Hz")

    assert shown(meter) == ["power", "voltage_l1", "frequency"]


def test_what_has_no_unit_comes_last() -> None:
    assert shown(device(count=None, humidity="%", temperature="Cel", pressure="hPa")) == [
        "temperature", "humidity", "pressure",
    ]  # fmt: skip


def test_a_point_that_was_never_read_is_not_shown() -> None:
    meter = device(power="W", energy="kWh")
    del meter["telemetry_summary"]["last_value"]["energy"]

    assert shown(meter) == ["power"]
