"""Which values are worth sending: those that changed enough, and each of them once in a while.

Only delivery is spared. Health and history have seen the whole sample: a device whose values stand
still is a healthy device.
"""

from collections.abc import Mapping

from agent import plan
from agent.sample import Sample, Value

NS = 1e9

Sent = tuple[Value, int]  # the value, and when on the boot clock


class OnChange:
    """The points of one device that are sent on change; all others pass.

    A point is compared with what was sent last, not with what was read last: a slow drift is sent
    as well. Its first value after a start is always sent, and everything of an urgent sample.
    """

    def __init__(self, points: Mapping[str, plan.Point]) -> None:
        self._points = {
            name: (spec.deadband, spec.deadband_share, _patience_ns(spec))
            for name, spec in points.items()
            if spec.deadband is not None
        }
        self._sent: dict[str, Sent] = {}

    def __bool__(self) -> bool:
        return bool(self._points)

    def worth(self, sample: Sample) -> Sample:
        """The sample with what is to be sent of it; the same one when that is everything."""
        if sample.urgent:
            return sample
        at_ns = sample.at.mono_ns
        wanted = {p: v for p, v in sample.values.items() if self._wanted(p, v, at_ns)}
        if len(wanted) == len(sample.values):
            return sample
        return Sample(sample.device, sample.at, wanted, sample.urgent)

    def sent(self, sample: Sample) -> None:
        """This was accepted for delivery."""
        for point, value in sample.values.items():
            if point in self._points:
                self._sent[point] = value, sample.at.mono_ns

    def _wanted(self, point: str, value: Value, at_ns: int) -> bool:
        rule, sent = self._points.get(point), self._sent.get(point)
        if rule is None or sent is None:
            return True
        deadband, share, patience_ns = rule
        return at_ns - sent[1] >= patience_ns or differs(value, sent[0], deadband, share)


def _patience_ns(spec: plan.Point) -> float:
    """Half a read early rather than a whole one late: silence is a maximum."""
    silence_s = 0.0 if spec.silence_s is None else spec.silence_s
    return (silence_s - (spec.every_s or 0.0) / 2) * NS


def differs(value: Value, before: Value, deadband: float, share: float) -> bool:
    """Whether a value is another one: by more than a deadband, texts and switches at all."""
    if isinstance(value, str) or isinstance(before, str) or isinstance(value, bool):
        return value != before
    return abs(value - before) > max(deadband, share * abs(before))
