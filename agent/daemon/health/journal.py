"""Events for people: one sentence per change of state, in the log and in a bounded memory."""

import dataclasses
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from agent import logging
from agent.clock import Clock
from agent.daemon.health.words import Status

KEPT = 200  # what the page's Events tab and `fieldpost log` can show at once
QUIET_S = 600.0  # the same event of the same subject is counted, not repeated, within this time
SUBJECTS = 1000  # bound of the memory for repetitions

log = logging.get("health")


@dataclass(frozen=True, slots=True)
class Event:
    """One change of state.

    Attributes:
        severity: WARN recovers by itself, FAIL loses data or needs a person.
        event_type: `<thing>.<what happened>`.
        subject: device, connection, destination or check.
        wall_ns: when, as the system clock said; the journal fills it in.
        repeated: how often the same was not written down since the last time; the journal counts.
    """

    severity: Status
    event_type: str
    subject: str
    message: str
    action: str | None = None
    code: str | None = None
    wall_ns: int = 0
    repeated: int = 0


class Journal:
    """Writes events to the log and keeps the newest."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._said: dict[tuple[str, str, str | None], tuple[float, int]] = {}

    def say(self, event: Event) -> None:
        """Write it down, unless the same was said of the same subject a short while ago."""
        repeated = self._repeated(event)
        if repeated is None:
            return
        event = dataclasses.replace(event, wall_ns=self._clock.now().wall_ns, repeated=repeated)
        self._events.append(event)
        _write(event)

    def events(self) -> Sequence[Event]:
        """The newest events, oldest first."""
        return tuple(self._events)

    def _repeated(self, event: Event) -> int | None:
        """How often it was suppressed before; None when it is to be suppressed again."""
        advice = event.action if event.event_type.startswith("destination.") else None
        key, now_s = (event.event_type, event.subject, advice), self._clock.monotonic_s()
        at_s, count = self._said.get(key, (float("-inf"), 0))
        if now_s - at_s < QUIET_S:
            self._said[key] = (at_s, count + 1)
            return None
        self._said.pop(key, None)
        self._said[key] = (now_s, 0)
        if len(self._said) > SUBJECTS:
            self._said.pop(next(iter(self._said)))
        return count


def fields(event: Event) -> dict[str, object]:
    """What stands beside the sentence in the log."""
    thing = event.event_type.partition(".")[0]
    device, _, point = event.subject.partition(".")
    where: dict[str, object] = {"check" if thing == "machine" else thing: event.subject}
    if thing == "value":
        where = {"device": device, "point": point}
    rest = {"action": event.action, "code": event.code, "repeated": event.repeated}
    return {"event_type": event.event_type, **where, **{k: v for k, v in rest.items() if v}}


def _write(event: Event) -> None:
    write = {Status.PASS: log.info, Status.WARN: log.warning, Status.FAIL: log.error}
    write[event.severity](event.message, **fields(event))
