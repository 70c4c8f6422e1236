"""What every point of every profile may say beside its place, and what the daemon is told of it."""

from collections.abc import Iterator, Mapping
from typing import Final, Self, TypeVar

from pydantic import model_validator

from agent import plan
from agent.prepare.kinds import DeviceInput, PointOverride, Settings
from agent.prepare.types import Deadband, Interval, Margin, Number, Rate, Switch, refuse

SILENCE_S: Final = 900.0  # a point that is sent on change is sent this often at least


class PointSettings(Settings):
    """A point of a profile, as far as it does not depend on the kind of device.

    `max_change` is the fastest change that can be true; `deadband` and `silence` make it a point
    that is sent when it changed, and once in a while although it did not. A `counter` never goes
    backwards: at `wraps_at` it starts again at zero, and any other smaller value is a restart. An
    `alarm_…` makes a sample urgent.
    """

    unit: str | None = None
    min: Number | None = None
    max: Number | None = None
    max_change: Rate | None = None
    deadband: Deadband | None = None
    silence: Interval | None = None
    alarm_above: Number | None = None
    alarm_below: Number | None = None
    alarm_on_change: Switch = False
    counter: Switch = False
    wraps_at: Margin | None = None

    @model_validator(mode="after")
    def _only_counters_wrap(self) -> Self:
        if self.wraps_at is not None and not (self.counter and self.wraps_at):
            fix = "add  counter: yes  or delete  wraps_at:"
            refuse("only a counter starts again when it is full", fix=fix, code="wraps_at")
        return self


Point = TypeVar("Point", bound=PointSettings)
T = TypeVar("T")


def switched_on(points: Mapping[str, Point], device: DeviceInput) -> Iterator[tuple[str, Point]]:
    """Those of the profile that are not switched off for this device."""
    overrides = device.settings.points
    for name, point in points.items():
        if name not in overrides or overrides[name].enabled:
            yield name, point


def range_of(
    name: str, point: PointSettings, device: DeviceInput
) -> tuple[float | None, float | None]:
    """Its plausible range, in its own unit: the technician's word goes before the profile's."""
    override = device.settings.points.get(name, PointOverride())
    return _either(override.min, point.min), _either(override.max, point.max)


def point_of(
    name: str, point: PointSettings, device: DeviceInput, every_s: float | None
) -> plan.Point:
    """What the daemon needs to know of one point.

    Args:
        name: of the point.
        point: as its profile has it.
        device: whose it is, with its exceptions.
        every_s: how often it is read; None where the device speaks on its own.
    """
    override = device.settings.points.get(name, PointOverride())
    low, high = range_of(name, point, device)
    deadband = _either(override.deadband, point.deadband)
    silence_s = override.silence or point.silence
    on_change = deadband is not None or silence_s is not None
    return plan.Point(
        unit=point.unit,
        every_s=every_s,
        low=low,
        high=high,
        counter=point.counter,
        wraps_at=point.wraps_at,
        change_per_s=override.max_change or point.max_change,
        deadband=(deadband.absolute if deadband else 0.0) if on_change else None,
        deadband_share=deadband.share if deadband else 0.0,
        silence_s=(silence_s or SILENCE_S) if on_change else None,
        alarm_above=_either(override.alarm_above, point.alarm_above),
        alarm_below=_either(override.alarm_below, point.alarm_below),
        alarm_on_change=_either(override.alarm_on_change, point.alarm_on_change),
    )


def _either(own: T | None, profiles: T) -> T:
    return profiles if own is None else own
