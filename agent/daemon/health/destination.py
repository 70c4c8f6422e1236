"""What is known of one destination: its word, from receipts, failures, heartbeats and backlog."""

from collections import Counter, deque

from agent import plan
from agent.cloud import Unauthorized
from agent.daemon.health import window
from agent.daemon.health.facts import Queue
from agent.daemon.health.words import DestinationState
from agent.errors import FieldpostError

EXPECTED_WITHIN = 3  # acknowledgements come within so many times `every`
STALLED_S = 600.0  # reachable for so long, and no data acknowledged
BEAT_S = 180.0  # a heartbeat answered within this time: reachable
LOOK_S = 60.0  # between two remembered lengths of the queue
LOOKS = 10  # so the backlog is compared with that of ten minutes ago
SLOW_READINGS = 1000  # a smaller backlog is a batch on its way
RATE_S, RATE_STEPS = 300.0, 10  # "now" for a rate: one batch in five minutes is the slowest usual
_REFUSED, _LOST, _DELIVERED = "refused", "lost", "delivered"


class DestinationHealth:
    """Counts for one destination."""

    def __init__(self, destination: plan.Destination, now_s: float) -> None:
        self.destination = destination
        self.started_s = now_s
        self.ack_s: float | None = None
        self.delivered_total = 0
        self.partly_total = 0
        self.requests_total: Counter[str] = Counter()  # answers by kind, since the start
        self.failure: FieldpostError | None = None
        self.refusal: str | None = None
        self.beat_failure: FieldpostError | None = None
        self.surpassed_s: float | None = None  # when it knew of what was never sent
        self._failed_s = now_s
        self._next_try_s: float | None = None
        self._beat_s: float | None = None
        self._pace: float | None = None  # readings a second while it drains
        self._lengths: deque[tuple[float, int]] = deque(maxlen=LOOKS)
        self._pending_s: float | None = None  # since when something waits without an answer
        self._lost_seen: int | None = None
        self._hour = window.hour(now_s)
        self._lately = window.Window(RATE_S, RATE_STEPS, now_s)

    def delivered(self, now_s: float, readings: int, partly: int) -> None:
        """So many readings were received; `partly` records of them in part only."""
        if self.ack_s is not None and now_s > self.ack_s:
            took_s = now_s - self.ack_s
            if took_s < min(LOOK_S, self.destination.every_s):  # back to back: it is draining
                self._pace = readings / took_s
        self.ack_s = now_s
        self.requests_total["acknowledged"] += 1
        self._pending_s = None
        self.delivered_total += readings
        self._lately.add(now_s, _DELIVERED, readings)
        self.partly_total += partly
        self.failure = self._next_try_s = None

    def refused(self, now_s: float, readings: int, reason: str) -> None:
        """So many readings were judged and set aside."""
        self._hour.add(now_s, _REFUSED, readings)
        self.requests_total["refused"] += 1
        self.refusal = reason
        self.failure = self._next_try_s = None

    def failed(self, now_s: float, error: FieldpostError, next_try_s: float | None) -> None:
        """It cannot be reached, or does not let us in."""
        self.failure = error
        self.requests_total[error.code.lower()] += 1
        self._failed_s = now_s
        self._next_try_s = next_try_s

    def beat(self, now_s: float, error: FieldpostError | None) -> None:
        """A heartbeat was answered, or was not."""
        self.beat_failure = error
        if error is None:
            self._beat_s = now_s

    def look(self, now_s: float, queue: Queue) -> None:
        """Remember the length of the queue and what was lost of it; cheap, every ten seconds."""
        if not self._lengths or now_s - self._lengths[-1][0] >= LOOK_S:
            self._lengths.append((now_s, queue.readings))
        if not queue.readings:
            self._pending_s = None
        elif self._pending_s is None:
            self._pending_s = now_s
        lost = max(queue.lost_total, queue.given_up_total) - queue.by_hand_total
        if self._lost_seen is not None and lost > self._lost_seen:
            self._hour.add(now_s, _LOST, lost - self._lost_seen)
        self._lost_seen = lost

    def rejected_1h(self, now_s: float) -> int:
        """Readings it refused in the last hour."""
        return int(self._hour.sum(now_s, _REFUSED))

    def lost_1h(self, now_s: float) -> int:
        """Readings given up for it in the last hour."""
        return int(self._hour.sum(now_s, _LOST))

    def rate_per_s(self, now_s: float) -> float:
        """Readings a second that it received over the last minutes."""
        return self._lately.rate(now_s, _DELIVERED)

    def next_try_s(self, now_s: float) -> float | None:
        """Seconds until it is tried again; None when that is not known, or nothing failed."""
        if self._next_try_s is None:
            return None
        return max(0.0, self._failed_s + self._next_try_s - now_s)

    def drain_s(self, queue: Queue) -> float | None:
        """How long what waits will take at the pace last seen; None when it was never seen."""
        if not queue.readings:
            return 0.0
        return queue.readings / self._pace if self._pace else None

    def state(self, now_s: float, queue: Queue) -> DestinationState:
        """Its word; the first that fits."""
        if queue.way.used_up:
            return DestinationState.USED_UP
        found = self._state(now_s, queue)
        well = found not in (DestinationState.STALLED, DestinationState.WAITING)
        return DestinationState.REFUSED if well and queue.way.shut_out else found

    def _state(self, now_s: float, queue: Queue) -> DestinationState:
        if queue.readings and self._stalled(now_s) and not self._shut_out:
            return DestinationState.STALLED
        if self.failure:
            return DestinationState.REFUSED if self._shut_out else DestinationState.WAITING
        if self.rejected_1h(now_s) and queue.rejected_total:  # else it has them, or a person did
            return DestinationState.REJECTING
        return self._undisturbed(now_s, queue)

    @property
    def _shut_out(self) -> bool:
        return isinstance(self.failure, Unauthorized)

    def _undisturbed(self, now_s: float, queue: Queue) -> DestinationState:
        expected_s = EXPECTED_WITHIN * self.destination.every_s
        if self.beat_failure and (self.ack_s is None or now_s - self.ack_s > expected_s):
            return DestinationState.WAITING  # nothing to send, and nobody there to take it
        if self.ack_s is None and now_s - self.started_s < expected_s:
            return DestinationState.STARTING
        if queue.readings and self._pending_for_s(now_s) >= max(expected_s, LOOK_S):
            return DestinationState.WAITING
        return DestinationState.SLOW if self._grows(queue) else DestinationState.OK

    def _stalled(self, now_s: float) -> bool:
        reachable = self._beat_s is not None and now_s - self._beat_s < BEAT_S
        return reachable and self._pending_for_s(now_s) >= STALLED_S

    def _pending_for_s(self, now_s: float) -> float:
        return 0.0 if self._pending_s is None else now_s - self._pending_s

    def _grows(self, queue: Queue) -> bool:
        """Longer than at every look of the last ten minutes, and more than a batch."""
        full = len(self._lengths) == LOOKS
        return (
            full
            and queue.readings > SLOW_READINGS
            and self._lengths[0][1] < self._lengths[LOOKS // 2][1] < queue.readings
        )
