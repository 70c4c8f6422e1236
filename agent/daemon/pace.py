"""How a value may move: no faster than is possible, and a counter only forwards.

What is compared is the last good value of the same point: the longer ago that is, the more a value
may differ, so a limit holds back a spike and never for good what has really changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent import plan
from agent.driver import DeviceFault, Reason
from agent.sample import Sample

WRAP_SHARE = 0.1  # of a counter's range: one that lacks more was not about to be full
NS = 1e9

BeganAgain = Callable[[str, str, float, float], None]


@dataclass(frozen=True, slots=True)
class _Seen:
    value: float
    mono_ns: int


class Pace:
    """The points of one device that have a limit, or count.

    Args:
        device: its name.
        points: all its points.
        began_again: told device, point, value before and value now of a counter that restarted.
    """

    def __init__(
        self, device: str, points: Mapping[str, plan.Point], began_again: BeganAgain
    ) -> None:
        self._device = device
        self._points = {
            name: spec for name, spec in points.items() if spec.counter or spec.change_per_s
        }
        self._began_again = began_again
        self._seen: dict[str, _Seen] = {}

    def __bool__(self) -> bool:
        return bool(self._points)

    def judge(
        self, sample: Sample, bad: Mapping[str, DeviceFault]
    ) -> tuple[dict[str, DeviceFault], int]:
        """What moved too fast, by point, and how many values had such a limit.

        Args:
            sample: as it was read.
            bad: points whose value is no good already.
        """
        fast: dict[str, DeviceFault] = {}
        checked = 0
        for point, spec in self._points.items():
            value = sample.values.get(point)
            if point in bad or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            fault = self._too_fast(point, spec, _Seen(value, sample.at.mono_ns))
            # a range counted it already
            checked += spec.change_per_s is not None and spec.low is None and spec.high is None
            if fault is not None:
                fast[point] = fault
        return fast, checked

    def _too_fast(self, point: str, spec: plan.Point, now: _Seen) -> DeviceFault | None:
        """Compare with the value before, and remember this one when it is good."""
        before = self._seen.get(point)
        way = None if before is None else self._way(point, spec, before.value, now.value)
        if before is not None and way is not None and spec.change_per_s is not None:
            elapsed_s = max(0.0, (now.mono_ns - before.mono_ns) / NS)
            if way > spec.change_per_s * max(elapsed_s, spec.every_s or 0.0):
                return _fault(point, spec, before, now)
        self._seen[point] = now
        return None

    def _way(self, point: str, spec: plan.Point, before: float, now: float) -> float | None:
        """How far it went, never below zero; None for a counter that began again."""
        if now >= before or not spec.counter:
            return abs(now - before)
        if spec.wraps_at is not None:
            on = spec.wraps_at - before + now
            if 0 <= on <= WRAP_SHARE * spec.wraps_at:
                return on
        self._began_again(self._device, point, before, now)
        return None


def _fault(point: str, spec: plan.Point, before: _Seen, now: _Seen) -> DeviceFault:
    unit = f" {spec.unit}" if spec.unit else ""
    elapsed_s = (now.mono_ns - before.mono_ns) / NS
    message = (
        f"{point} went from {before.value:.10g} to {now.value:.10g}{unit} in {elapsed_s:.3g} s, "
        f"faster than {spec.change_per_s:.10g}{unit} a second, and was not sent"
    )
    return DeviceFault(
        Reason.OUT_OF_RANGE, message, action="If it can really change so fast, raise `max_change`"
    )
