"""The newest samples and a day in five-minute steps, per device, in bounded memory.

Served from RAM and never from the store. Values stand in arrays, column by column: 8 bytes each
instead of 70. Steps are folded from the columns in bulk when they end, not sample by sample.
Everything is ordered by the boot clock; wall times are worked out when somebody asks.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from agent import plan
from agent.clock import Clock
from agent.daemon.columns import Columns, Fold, Names, Packed, merged, wall
from agent.sample import Instant, Sample, Value

SAMPLES = 600  # of each device: ten minutes at a sample a second
SAMPLES_MIN = 60
CELLS = 131_072  # values of all devices together: 1 MB; large plants see fewer samples back
STEP_NS = 300_000_000_000
STEPS = 288  # 24 hours
STEP_POINTS = 256  # points of all devices together that have steps: 1.2 MB
STEP_POINTS_MIN = 4  # of each device


@dataclass(frozen=True, slots=True)
class Past:
    """One recorded sample.

    Attributes:
        wall_ns: corrected once the clock is trusted.
        trusted: whether `wall_ns` can be believed.
    """

    wall_ns: int
    values: Mapping[str, Value]
    trusted: bool


@dataclass(frozen=True, slots=True)
class Step:
    """Five minutes of one device; `wall_ns` is where they begin."""

    wall_ns: int
    values: Mapping[str, Fold]


Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Answer(Generic[Row]):
    """Rows, oldest first, and how far back they are whole."""

    rows: tuple[Row, ...]
    complete_since_ns: int


class History:
    """What every device said lately.

    Args:
        running: its devices and points give the bounds.
        clock: relates the boot clock to the wall when rows are asked for.
    """

    def __init__(self, running: plan.Plan, clock: Clock) -> None:
        points = sum(len(device.points) for device in running.devices.values())
        depth = max(SAMPLES_MIN, min(SAMPLES, CELLS // max(1, points)))
        folded = max(STEP_POINTS_MIN, STEP_POINTS // max(1, len(running.devices)))
        self._clock = clock
        began = clock.now()
        self._tracks = {name: _Track(depth, folded, began) for name in running.devices}

    def record(self, sample: Sample) -> None:
        """Keep one sample; called for every one, about 0.1 µs per value."""
        self._tracks[sample.device].record(sample)

    def samples(self, device: str, since_ns: int | None, limit: int) -> Answer[Past]:
        """Samples strictly after `since_ns` (wall time); without it the newest `limit`.

        Raises:
            KeyError: there is no such device.
        """
        return self._tracks[device].samples(self._clock.now(), since_ns, limit)

    def steps(self, device: str, since_ns: int | None, limit: int) -> Answer[Step]:
        """Five-minute steps strictly after `since_ns`; steps without data are absent.

        Raises:
            KeyError: there is no such device.
        """
        return self._tracks[device].steps(self._clock.now(), since_ns, limit)


class _Track:
    """One device."""

    def __init__(self, depth: int, folded: int, began: Instant) -> None:
        self._columns = Columns(depth, folded)
        self._steps: deque[tuple[int, Packed]] = deque(maxlen=STEPS)
        self._names: dict[Names, Names] = {}
        self._began_ns = began.mono_ns
        # steps begin where the wall clock shows whole five minutes, as far as it is right by now
        self._phase_ns = (began.wall_ns - began.mono_ns) % STEP_NS
        self._step = self._step_of(began.mono_ns)
        self._pending: dict[str, Fold] = {}

    def record(self, sample: Sample) -> None:
        step = self._step_of(sample.at.mono_ns)
        if step > self._step:
            self._close()
            self._step = step
        elif self._columns.unfolded_full:
            self._pending = merged(self._pending, self._columns.fold())
        self._columns.append(sample)

    def samples(self, now: Instant, since_ns: int | None, limit: int) -> Answer[Past]:
        rows = []
        for at_ns, offset_ns, values in self._columns.rows():
            wall_ns, trusted = wall(now, at_ns, offset_ns)
            if since_ns is None or wall_ns > since_ns:
                rows.append(Past(wall_ns, values, trusted))
        whole_ns = self._columns.oldest_ns if self._columns.full else self._began_ns
        return Answer(_limited(rows, since_ns, limit), _present(now, whole_ns))

    def steps(self, now: Instant, since_ns: int | None, limit: int) -> Answer[Step]:
        found = [(step, packed.folds()) for step, packed in self._steps]
        if current := merged(self._pending, self._columns.unfolded()):
            found.append((self._step, current))
        rows = [Step(_whole_s(_present(now, self._start_ns(s))), folds) for s, folds in found]
        if since_ns is not None:
            rows = [row for row in rows if row.wall_ns > since_ns]
        whole_ns = max(self._began_ns, self._start_ns(self._step - STEPS + 1))
        return Answer(_limited(rows, since_ns, limit), _present(now, whole_ns))

    def _close(self) -> None:
        folds = merged(self._pending, self._columns.fold())
        self._pending = {}
        if folds:
            self._steps.append((self._step, Packed(folds, self._names)))

    def _step_of(self, mono_ns: int) -> int:
        return (mono_ns + self._phase_ns) // STEP_NS

    def _start_ns(self, step: int) -> int:
        return step * STEP_NS - self._phase_ns


def _limited(rows: list[Row], since_ns: int | None, limit: int) -> tuple[Row, ...]:
    """The newest without a beginning, the oldest after one: so a reader can page on."""
    return tuple(rows[-limit:] if since_ns is None else rows[:limit])


def _present(now: Instant, mono_ns: int) -> int:
    """A moment of the boot clock on the wall, as the clocks stand now."""
    return mono_ns + now.wall_ns - now.mono_ns


def _whole_s(wall_ns: int) -> int:
    return round(wall_ns / 1e9) * 1_000_000_000
