"""The health score: the weighted average of what could be measured, cut to two decimals."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.daemon.health.words import Cause, Component

WEIGHTS: Mapping[Component, float] = {
    Component.UPTIME: 0.25,
    Component.ERROR_RATE: 0.25,
    Component.FRESHNESS: 0.30,
    Component.SENSOR_RANGE: 0.20,
}
LATES_UNTIL_LOST = 10  # a device is lost after ten times the age at which it is late
_FLOAT_NOISE = 1e-9  # keeps 0.29 * 100 = 28.999999999999996 from being cut to 0.28


@dataclass(frozen=True, slots=True)
class Part:
    """One component of a score.

    Attributes:
        value: 0.0 to 1.0, or None: not measured.
        reason: the one that costs most, from the closed list.
        action: what to do next, one sentence, or None.
        device: whose reason it is, in the gateway's own components.
    """

    value: float | None
    reason: str
    action: str | None = None
    device: str | None = None


Parts = Mapping[Component, Part]

NOT_MEASURED = Part(None, Cause.NOT_MEASURED)


def score(parts: Parts) -> float | None:
    """The weighted average of the measured parts, uncut; None when nothing was measured."""
    measured = {name: part.value for name, part in parts.items() if part.value is not None}
    if not measured:
        return None
    weight = sum(WEIGHTS[name] for name in measured)
    return sum(WEIGHTS[name] * value for name, value in measured.items()) / weight


def cut(value: float | None) -> float | None:
    """Two decimals, never rounded up: 1.0 means perfect."""
    return None if value is None else math.floor(value * 100 + _FLOAT_NOISE) / 100


def freshness(age_s: float, late_s: float) -> float:
    """1 up to late, 0 from lost, a straight line between.

    Args:
        age_s: of the newest good sample, seconds.
        late_s: the age at which the device is late, seconds.
    """
    over_s = age_s - late_s
    return min(1.0, max(0.0, 1.0 - over_s / (late_s * (LATES_UNTIL_LOST - 1))))


def gateway(devices: Mapping[str, Parts]) -> dict[Component, Part]:
    """Each component as the mean over the devices for which it is measured.

    Reason, device and action are those of the device that costs most.
    """
    return {
        name: _mean((device, parts[name]) for device, parts in devices.items())
        for name in Component
    }


def _mean(parts: Iterable[tuple[str, Part]]) -> Part:
    measured = [(part.value, device, part) for device, part in parts if part.value is not None]
    if not measured:
        return NOT_MEASURED
    lowest, device, part = min(measured, key=lambda found: found[0])
    mean = sum(value for value, _, _ in measured) / len(measured)
    return Part(mean, part.reason, part.action, device if lowest < 1 else None)
