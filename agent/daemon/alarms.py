"""Which samples are alarms: those in which a point changed that is watched, or crossed its limit.

An alarm is committed and sent before everything else, when it comes and when it goes. Around a
limit a noisy value would come and go with each reading; where a point has a deadband, it has to be
back by so much.
"""

from collections.abc import Mapping

from agent import plan
from agent.daemon.onchange import differs
from agent.sample import Sample, Value


class Alarms:
    """The watched points of one device.

    What is beyond a limit at the first reading after a start is an alarm, a first value alone none.
    """

    def __init__(self, points: Mapping[str, plan.Point]) -> None:
        self._points = {name: spec for name, spec in points.items() if _watched(spec)}
        self._beyond: dict[str, bool] = {}
        self._told: dict[str, Value] = {}

    def __bool__(self) -> bool:
        return bool(self._points)

    def raised(self, sample: Sample) -> bool:
        """Whether something in this sample has to be told at once."""
        found = sample.values
        news = [
            self._changed(name, spec, found[name]) | self._crossed(name, spec, found[name])
            for name, spec in self._points.items()
            if name in found
        ]
        return any(news)

    def _changed(self, name: str, spec: plan.Point, value: Value) -> bool:
        if not spec.alarm_on_change:
            return False
        told = self._told.setdefault(name, value)
        if not differs(value, told, spec.deadband or 0.0, spec.deadband_share):
            return False
        self._told[name] = value
        return True

    def _crossed(self, name: str, spec: plan.Point, value: Value) -> bool:
        if isinstance(value, str):
            return False
        was = self._beyond.get(name, False)
        back = max(spec.deadband or 0.0, spec.deadband_share * abs(value)) if was else 0.0
        above, below = spec.alarm_above, spec.alarm_below
        beyond = (above is not None and value > above - back) or (
            below is not None and value < below + back
        )
        self._beyond[name] = beyond
        return beyond != was


def _watched(spec: plan.Point) -> bool:
    limits = spec.alarm_above, spec.alarm_below
    return spec.alarm_on_change or any(limit is not None for limit in limits)
