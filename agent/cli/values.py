"""Which values of a device stand for it on a screen of 80 columns."""

from collections.abc import Mapping, Sequence

from agent.cli import words
from agent.plan import Json

KEY_VALUES = 3
# what people look for first; an unknown unit comes after these, in the profile's order
_RANK: Sequence[str] = ("Cel", "W", "kW", "kWh", "Wh", "%", "V", "m/s", "bar", "Hz", "A")
_NAMED_BY_UNIT = frozenset(_RANK)
_BATTERY = "battery"


def key_points(device: Json) -> list[str]:
    """Up to three points that have a value, in the profile's order."""
    values = device["telemetry_summary"]["last_value"]
    units = {name: point.get("unit") for name, point in device["points"].items()}
    known = [name for name in (units or values) if name in values]
    firsts = [name for i, name in enumerate(known) if not _has_unit_of(name, known[:i], units)]
    best = sorted(known, key=lambda name: (name not in firsts, _rank(name, units)))[:KEY_VALUES]
    return [name for name in known if name in best]


def key_values(device: Json) -> str:
    """Those points as one line: `231.4 V   4.31 kW   battery 2.98 V`."""
    values = device["telemetry_summary"]["last_value"]
    points = key_points(device)
    units = {name: device["points"].get(name, {}).get("unit") for name in points}
    return "   ".join(
        _labelled(name, words.value(values[name], units[name]), units) for name in points
    )


def course_point(device: Json) -> str:
    """The point whose course is drawn: the number that people look for first."""
    values = device["telemetry_summary"]["last_value"]
    units = {name: device["points"].get(name, {}).get("unit") for name in values}
    numbers = [n for n in key_points(device) if _is_number(values[n])]
    return min(numbers, key=lambda name: _rank(name, units), default="")


def _has_unit_of(name: str, others: Sequence[str], units: Mapping[str, str | None]) -> bool:
    """Whether one of the others already shows what this one would: a phase beside the sum."""
    alike = (other for other in others if units[other] == units[name])
    return units[name] is not None and any(_BATTERY not in other for other in alike)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rank(name: str, units: Mapping[str, str | None]) -> int:
    if _BATTERY in name:
        return len(_RANK) - 1
    unit = units.get(name)
    return _RANK.index(unit) if unit in _RANK else len(_RANK)


def _labelled(name: str, text: str, units: Mapping[str, str | None]) -> str:
    """With the name in front where the unit does not say what it is."""
    if _BATTERY in name:
        return f"{_BATTERY} {text}"
    alike = [other for other in units if units[other] == units[name] and _BATTERY not in other]
    plain = units[name] in _NAMED_BY_UNIT and len(alike) == 1
    return text if plain else f"{name.replace('_', ' ')} {text}"
