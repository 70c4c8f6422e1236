"""Parts of a snapshot as routes show them: cards, list rows, one point of telemetry."""

import difflib
from collections.abc import Collection, Iterable, Mapping

from agent.clock import from_iso
from agent.errors import ValidationError
from agent.plan import Json

KEY_VALUES = 3
TELLING = frozenset({"W", "kW", "MW", "Cel", "[degF]", "K"})  # power and warmth come first
CARD = ("id", "state", "age_s", "interval_s", "profile", "connection", "message", "action")
NOT_IN_LIST = ("points", "telemetry_summary")


def of(devices: Mapping[str, Json]) -> list[Json]:
    """One card per device, in the order of the configuration."""
    return [_card(device) for device in devices.values()]


def in_list(device: Json) -> Json:
    """A device without what only its own route shows."""
    rest = {key: value for key, value in device.items() if key not in NOT_IN_LIST}
    return rest | {"health": {"score": device["health"]["score"]}}


def only(samples: list[Json], point: str | None) -> list[Json]:
    """Samples with one point only; those without it are left out."""
    if point is None:
        return samples
    return [
        {**sample, "data": {point: sample["data"][point]}}
        for sample in samples
        if point in sample["data"]
    ]


def after(events: Iterable[Json], since: str | None) -> list[Json]:
    """Events strictly after a time.

    Raises:
        ValidationError: it is no time.
    """
    if since is None:
        return list(events)
    try:
        since_ns = from_iso(since)
    except ValueError as error:
        message = "since: write a time such as 2026-11-23T14:46:50Z"
        raise ValidationError(field="since", reason="malformed", message=message) from error
    return [event for event in events if from_iso(event["time"]) > since_ns]


def nearest(name: str, names: Collection[str]) -> str | None:
    """The name somebody may have meant."""
    return next(iter(difflib.get_close_matches(name[:64], names, 1)), None)


def _telling(points: list[str], units: Mapping[str, str | None]) -> list[str]:
    """The points in the order in which they tell most: a new kind of value before one more."""
    seen: set[str | None] = set()
    rank: dict[str, tuple[bool, bool]] = {}
    for name in points:
        unit = units[name]
        rank[name] = (unit in seen or unit is None, unit not in TELLING)
        seen.add(unit)
    return sorted(points, key=lambda name: rank[name])


def _card(device: Json) -> Json:
    last = device["telemetry_summary"]["last_value"]
    shown = [name for name in device["points"] if name in last]
    shown += [name for name in last if name not in device["points"]]
    units = {name: device["points"].get(name, {}).get("unit") for name in shown}
    shown = _telling(shown, units)
    return {key: device[key] for key in CARD} | {
        "score": device["health"]["score"],
        "values": [{"point": n, "value": last[n], "unit": units[n]} for n in shown[:KEY_VALUES]],
    }
