"""What is known of one device: a few numbers per sample in, its word and its score out.

Everything is counted on the boot clock: a step of the wall clock changes no word, age or score.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping

from agent import plan
from agent.daemon.health import actions, window
from agent.daemon.health.score import LATES_UNTIL_LOST, NOT_MEASURED, Part, freshness
from agent.daemon.health.words import Cause, Component, DeviceState
from agent.driver import DeviceFault, Reason
from agent.sample import Value

LATE_MIN_S = 10.0  # below this, lateness is scheduling, not trouble
STARTING_MIN_S = 30.0  # connecting and the first scan take their time
UNLEARNED_S = 60.0  # assumed interval of a device that speaks on its own, until it was learned
LEARNS_FROM = 16  # gaps between samples; their median is the interval
LEARNED_AT = 4  # fewer gaps say nothing
# faults that prove that the device is there and talks
ANSWERS = frozenset({Reason.DAMAGED, Reason.REFUSED, Reason.NO_KEY, Reason.UNREADABLE})
JUDGED = frozenset({Reason.OUT_OF_RANGE, Reason.NOT_A_NUMBER})  # faults of values, not of reads
_ATTEMPTS, _CHECKED, _GOOD = "attempts", "checked", "good"
_POINT = "point "  # a read of a single point failed: counts as its share of an attempt


class DeviceHealth:
    """Counts for one device.

    Args:
        device: its part of the plan.
        late_after: `health.late_after`: intervals until it is late.
        now_s: when it was configured.
    """

    def __init__(self, device: plan.Device, late_after: int, now_s: float) -> None:
        self.device = device
        self.configured_s = now_s
        self.good_s: float | None = None
        self.answered_s: float | None = None
        self.values: dict[str, Value] = {}
        self.message_count = 0
        self.fault: DeviceFault | None = None
        self.point_faults: dict[str, DeviceFault] = {}  # of points that gave nothing good since
        self.failures_total: Counter[str] = Counter()  # by reason, since the start
        self._late_after = late_after
        self._gaps: deque[float] = deque(maxlen=LEARNS_FROM)
        self._hour = window.hour(now_s)
        self._day = window.day(now_s)
        self._accounted_s = now_s

    def answered(self, at_s: float, values: Mapping[str, Value], checked: int) -> None:
        """A scheduled read ended well, or a message came.

        Args:
            at_s: when, on the boot clock.
            values: the good ones; none at all says "answered, and nothing good".
            checked: how many values had a range, or were no numbers at all.
        """
        self.answered_s = at_s
        self.message_count += 1
        self._hour.add(at_s, _ATTEMPTS)
        if checked:
            self._hour.add(at_s, _CHECKED, checked)
        if not values:
            return
        if self.good_s is not None and self.device.every_s is None:
            self._gaps.append(at_s - self.good_s)
        self.good_s = at_s
        self.values.update(values)
        self.fault = None
        if self.point_faults:
            for point in values:
                self.point_faults.pop(point, None)

    def failed(self, at_s: float, point: str | None, fault: DeviceFault) -> None:
        """A read of the device, or of one point of it, failed."""
        self.failures_total[fault.reason] += 1
        if fault.reason in ANSWERS:
            self.answered_s = at_s
        if fault.reason in JUDGED:
            self._hour.add(at_s, fault.reason)
            self._hour.add(at_s, _CHECKED)
        elif point is None:
            self._hour.add(at_s, _ATTEMPTS)
            self._hour.add(at_s, fault.reason)
        else:
            self._hour.add(at_s, _POINT + fault.reason)
        if point is None:
            self.fault = fault
        else:
            self.point_faults[point] = fault

    def out_of_range(self, at_s: float, bad: Mapping[str, DeviceFault]) -> None:
        """Values that are not sent, by point; they are among the `checked` of `answered`."""
        for point, fault in bad.items():
            self.failures_total[fault.reason] += 1
            self._hour.add(at_s, fault.reason)
            self.point_faults[point] = fault

    def account(self, now_s: float, *, connection_gone: bool) -> None:
        """Book the time since the last call as up or down."""
        state = self.state(now_s)
        elapsed_s, self._accounted_s = now_s - self._accounted_s, now_s
        if state in (DeviceState.OFF, DeviceState.STARTING):
            return
        key: str = _GOOD
        if state is DeviceState.NEVER:
            key = Cause.NEVER_ANSWERED
        elif state is DeviceState.LOST:
            key = Cause.OUTAGES
        if connection_gone and key is not _GOOD:
            key = Cause.CONNECTION_GONE
        self._day.add(now_s, key, elapsed_s)

    @property
    def interval_s(self) -> float | None:
        """Its reading interval, or the learned one; None while that is not known."""
        if self.device.every_s is not None:
            return self.device.every_s
        return _median(self._gaps) if len(self._gaps) >= LEARNED_AT else None

    @property
    def late_s(self) -> float:
        """The age at which it is late."""
        return max(LATE_MIN_S, self._late_after * (self.interval_s or UNLEARNED_S))

    def age_s(self, now_s: float) -> float | None:
        """Of the newest good sample; None when there was none."""
        return None if self.good_s is None else max(0.0, now_s - self.good_s)

    def state(self, now_s: float) -> DeviceState:
        """Its word; the first that fits.

        `bad-data` comes before `never`: a device that answers with nothing but rubbish since it
        was configured has another cause than one that is silent.
        """
        if not self.device.enabled:
            return DeviceState.OFF
        late_s, age_s = self.late_s, self.age_s(now_s)
        if age_s is None and now_s - self.configured_s < max(late_s, STARTING_MIN_S):
            return DeviceState.STARTING
        if (age_s is None or age_s >= late_s) and self._answers(now_s, late_s):
            return DeviceState.BAD_DATA
        return _by_age(age_s, late_s)

    def parts(self, now_s: float) -> dict[Component, Part]:
        """The components of its score."""
        return {
            Component.UPTIME: self._uptime(now_s),
            Component.ERROR_RATE: self._error_rate(now_s),
            Component.FRESHNESS: self._freshness(now_s),
            Component.SENSOR_RANGE: self._sensor_range(now_s),
        }

    def counts(self, now_s: float) -> tuple[int, int, int]:
        """Attempts, failed ones and damaged ones of the last hour."""
        sums = self._hour.sums(now_s)
        return int(sums[_ATTEMPTS]), _failed(sums), int(sums[Reason.DAMAGED])

    def action(self, reason: str) -> str | None:
        """What to do about this reason; a driver's own words come before the general ones."""
        if self.fault and self.fault.reason == reason and self.fault.action:
            return self.fault.action
        return actions.action(reason, self.device.name, self.device.connection)

    def _answers(self, now_s: float, late_s: float) -> bool:
        return self.answered_s is not None and now_s - self.answered_s < late_s

    def _uptime(self, now_s: float) -> Part:
        sums = self._day.sums(now_s)
        total = sum(sums.values())
        if total <= 0:
            return NOT_MEASURED
        good = sums.pop(_GOOD, 0)
        if good == total:
            full = self._day.observed_s(now_s) >= window.DAY_S
            return Part(1.0, Cause.STEADY if full else Cause.NEW)
        cause = sums.most_common(1)[0][0]
        return Part(good / total, cause, self.action(cause))

    def _error_rate(self, now_s: float) -> Part:
        sums = self._hour.sums(now_s)
        share = 1 / max(1, len(self.device.points))
        failures = {
            reason: sums[reason] + share * sums[_POINT + reason]
            for reason in Reason
            if reason not in JUDGED
        }
        attempts, failed = sums[_ATTEMPTS], sum(failures.values())
        if not attempts:
            return NOT_MEASURED
        if not failed:
            return Part(1.0, Cause.CLEAN)
        reason = max(failures, key=lambda found: failures[found])
        return Part(max(0.0, 1 - failed / attempts), reason, self.action(reason))

    def _freshness(self, now_s: float) -> Part:
        state, age_s, late_s = self.state(now_s), self.age_s(now_s), self.late_s
        if state in (DeviceState.OFF, DeviceState.STARTING):
            return NOT_MEASURED
        if age_s is None:
            return Part(0.0, Cause.NEVER, self.silence_action(now_s))
        if age_s < late_s:
            return Part(1.0, Cause.FRESH)
        lost = age_s >= LATES_UNTIL_LOST * late_s
        value = freshness(age_s, late_s)
        return Part(value, Cause.LOST if lost else Cause.LATE, self.silence_action(now_s))

    def silence_action(self, now_s: float) -> str | None:
        """What to do about a device that is silent: as for the errors that were counted."""
        if self.fault:
            return self.action(self.fault.reason)
        part = self._error_rate(now_s)
        return part.action or self.action(
            Reason.NOT_HEARD if self.device.every_s is None else Reason.NO_ANSWER
        )

    def _sensor_range(self, now_s: float) -> Part:
        sums = self._hour.sums(now_s)
        checked = sums[_CHECKED]
        if not checked:
            return NOT_MEASURED
        outside, none = sums[Reason.OUT_OF_RANGE], sums[Reason.NOT_A_NUMBER]
        if not outside + none:
            return Part(1.0, Cause.IN_RANGE)
        reason = Reason.OUT_OF_RANGE if outside >= none else Reason.NOT_A_NUMBER
        return Part(max(0.0, 1 - (outside + none) / checked), reason, self.action(reason))


def _by_age(age_s: float | None, late_s: float) -> DeviceState:
    if age_s is None:
        return DeviceState.NEVER
    if age_s >= LATES_UNTIL_LOST * late_s:
        return DeviceState.LOST
    return DeviceState.LATE if age_s >= late_s else DeviceState.OK


def _failed(sums: Mapping[str, float]) -> int:
    return int(sum(sums.get(reason, 0) for reason in Reason if reason not in JUDGED))


def _median(values: Iterable[float]) -> float:
    """The middle one; the module `statistics` would cost half a megabyte for this line."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
