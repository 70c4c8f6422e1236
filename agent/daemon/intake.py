"""The border of the daemon: what a driver read is checked here, and only good values go on.

A value that is not finite, not in its range or not a value at all is left out, with its reason;
the other values of the same sample go on. Health and history are told of everything that was read,
the cloud of what is worth it. Runs for every sample: no allocation on the good road.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from math import isfinite
from typing import Protocol, cast

from agent import plan
from agent.clock import Clock
from agent.daemon.alarms import Alarms
from agent.daemon.onchange import OnChange
from agent.daemon.pace import Pace
from agent.driver import DeviceFault, Reason
from agent.sample import Instant, Sample, Value

FINITE = 1.7976931348623157e308  # the largest double: NaN and the infinities are not within it
INT_LOW, INT_HIGH = -(2**63), 2**63 - 1  # what every store and cloud on the way can carry
TEXT_MAX = 1024  # characters; longer ones are a protocol error, not a value
VALUES_MAX = 1000  # values in one sample; nothing on a field bus says more at once
NAME_MAX = 128  # characters of a point's name, for those that are not in the plan

Limits = tuple[float, float]
Put = Callable[[Sample], Awaitable[None]]
FEW = 30  # values that are looked at one by one as fast as all at once
NUMBERS = frozenset((int, float))
NOTHING: Mapping[str, DeviceFault] = {}
_ANY: Limits = (-FINITE, FINITE)
_PROBABLY = "The sensor may be disconnected inside the device, or `as:` is wrong"


class Watcher(Protocol):
    """Who is told what came in: health."""

    def sample(self, sample: Sample, *, checked: int, bad: Mapping[str, DeviceFault]) -> None:
        """A device answered."""
        ...

    def fault(self, device: str, point: str | None, error: DeviceFault) -> None:
        """A device, or one point of it, could not be read."""
        ...

    def began_again(self, device: str, point: str, before: float, now: float) -> None:
        """A counter is lower than it was: whoever counts there has started anew."""
        ...


class Recorder(Protocol):
    """Who remembers what was read last: history."""

    def record(self, sample: Sample) -> None:
        """Keep the newest values."""
        ...


class Intake:
    """The sink of all drivers.

    Args:
        running: the plan, for the ranges of its points.
        clock: stamps samples.
        health: told of every answer and every fault.
        history: told of every good value.
        put: where good samples go; awaited, so the buffer can hold the driver back.
    """

    def __init__(
        self,
        running: plan.Plan,
        clock: Clock,
        health: Watcher,
        history: Recorder,
        put: Put,
    ) -> None:
        self._clock = clock
        self._health = health
        self._history = history
        self._put = put
        self._points = {name: device.points for name, device in running.devices.items()}
        self._limits = {
            name: {point: _range(spec) for point, spec in device.points.items() if _ranged(spec)}
            for name, device in running.devices.items()
        }
        paces = {n: Pace(n, points, health.began_again) for n, points in self._points.items()}
        self._paces = {name: pace for name, pace in paces.items() if pace}
        changes = {name: OnChange(points) for name, points in self._points.items()}
        self._changes = {name: change for name, change in changes.items() if change}
        alarms = {name: Alarms(points) for name, points in self._points.items()}
        self._alarms = {name: alarm for name, alarm in alarms.items() if alarm}

    def now(self) -> Instant:
        """The instant to stamp a sample with."""
        return self._clock.now()

    async def put(self, sample: Sample) -> None:
        """Accept the good values of one sample; see `agent.driver.Sink`."""
        bad, checked = self._judge(sample)
        pace = self._paces.get(sample.device)
        if pace is not None:
            fast, limited = pace.judge(sample, bad)
            bad, checked = {**bad, **fast} if fast else bad, checked + limited
        if bad:
            good = {point: value for point, value in sample.values.items() if point not in bad}
            sample = Sample(sample.device, sample.at, good, sample.urgent)
        if sample.values:
            alarms = self._alarms.get(sample.device)
            if alarms is not None and alarms.raised(sample):
                sample = replace(sample, urgent=True)
            await self._deliver(sample)
            self._history.record(sample)
        self._health.sample(sample, checked=checked, bad=bad)

    def fault(self, device: str, point: str | None, error: DeviceFault) -> None:
        """A device, or only one point of it, could not be read."""
        self._health.fault(device, point, error)

    async def _deliver(self, sample: Sample) -> None:
        """Put what is worth sending."""
        changes = self._changes.get(sample.device)
        if changes is None:
            await self._put(sample)
            return
        worth = changes.worth(sample)
        if worth.values:
            await self._put(worth)
            changes.sent(worth)

    def _judge(self, sample: Sample) -> tuple[Mapping[str, DeviceFault], int]:
        """What is not to be sent, by point, and how many values were checked."""
        limits = self._limits[sample.device]
        if len(sample.values) > FEW and _sound(sample.values, limits):
            return NOTHING, sum(map(sample.values.__contains__, limits))
        bad: dict[str, DeviceFault] = {}
        checked = 0
        for point, value in sample.values.items():
            low, high = limits.get(point, _ANY)
            kind = type(value)
            if (kind is float or kind is int) and low <= value <= high:  # type: ignore[operator]  # only numbers get here
                checked += low is not _ANY[0]
                if kind is float or INT_LOW <= value <= INT_HIGH:  # type: ignore[operator]  # likewise
                    continue
            elif kind is bool or (kind is str and _plain(value)):
                continue
            bad[point] = _fault(point, value, self._points[sample.device].get(point))
            checked += 1
        if len(sample.values) > VALUES_MAX:
            bad |= self._too_many(sample)
        return bad, checked

    def _too_many(self, sample: Sample) -> dict[str, DeviceFault]:
        """Of a flood, only what the plan knows goes on."""
        known = self._points[sample.device]
        fault = DeviceFault(
            Reason.UNREADABLE,
            f"it sent {len(sample.values)} values at once; only those of its profile were taken",
            action=f"fieldpost read {sample.device} --raw",
        )
        return {point: fault for point in sample.values if point not in known}


def _sound(values: Mapping[str, Value], limits: Mapping[str, Limits]) -> bool:
    """Whether all are plain numbers and within their limits: a few looks at all of them at once.

    False only means that each has to be looked at.
    """
    if len(values) > VALUES_MAX or not NUMBERS.issuperset(map(type, values.values())):
        return False
    numbers = cast("Collection[float]", values.values())
    if not (min(numbers) >= INT_LOW and max(numbers) <= INT_HIGH and isfinite(sum(numbers))):
        return False
    known = cast("Mapping[str, float]", values)
    return all(low <= known.get(point, low) <= high for point, (low, high) in limits.items())


def _ranged(spec: plan.Point) -> bool:
    return spec.low is not None or spec.high is not None


def _range(spec: plan.Point) -> Limits:
    low = -FINITE if spec.low is None else spec.low
    return low, FINITE if spec.high is None else spec.high


def _plain(value: object) -> bool:
    """Whether a text is short, and Unicode that can be written as UTF-8."""
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        return False
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def _fault(point: str, value: object, spec: plan.Point | None) -> DeviceFault:
    """Why one value is not sent, in the sentence people read."""
    name = point[:NAME_MAX]
    if isinstance(value, str):
        message = f"{name} is not a text that can be sent ({len(value)} characters)"
        return DeviceFault(Reason.UNREADABLE, message)
    if not isinstance(value, int | float) or value != value or abs(value) > FINITE:  # noqa: PLR0124 - NaN is what differs from itself
        message = f"{name} is not a number and was not sent"
        return DeviceFault(Reason.NOT_A_NUMBER, message, action=_PROBABLY)
    if spec is None or not _ranged(spec):
        message = f"{name} is too large for a 64-bit number and was not sent"
        return DeviceFault(Reason.OUT_OF_RANGE, message)
    return DeviceFault(Reason.OUT_OF_RANGE, f"{name} {_outside(value, spec)} and was not sent")


def _outside(value: float, spec: plan.Point) -> str:
    unit = f" {spec.unit}" if spec.unit else ""
    shown = f"{value:.10g}{unit}"
    if spec.low is None:
        return f"{shown} is above {spec.high:.10g}"
    if spec.high is None:
        return f"{shown} is below {spec.low:.10g}"
    return f"{shown} is outside {spec.low:.10g} … {spec.high:.10g}"
