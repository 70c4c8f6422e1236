"""What was acknowledged lately, kept for a destination that may forget it.

A broker acknowledges out of its RAM and writes its file every half an hour. So what it has said yes
to stays on the card for a while, settled and counted, and goes out again under the same names when
the broker has lost its memory. All that is written down for it is how far it has to go again, so
that a stop in the middle forgets nothing; after a start, everything settled that is still on the
card is taken for acknowledged just now.
"""

from collections import deque
from collections.abc import Iterable

from agent.clock import Clock
from agent.cloud import Limits
from agent.daemon.buffer.model import Cursor
from agent.daemon.buffer.ranges import Settled, runs
from agent.daemon.buffer.reading import Ask

STEP_S = 60.0  # between two remembered states of the cursor: how exact a hold is


class Tail:
    """The newest acknowledged samples of one destination.

    Args:
        cursor: what is settled.
        clock: only its running time is asked.
    """

    def __init__(self, cursor: Cursor, clock: Clock) -> None:
        self._cursor = cursor
        self._clock = clock
        self._hold_s = 0.0
        self._seen: deque[tuple[float, Settled]] = deque()  # states that are not old enough yet
        self._released = Settled()
        self._prolonged_s: float | None = None
        self._done: Settled | None = None  # while resending: all that need not go again
        self._interrupted = False

    def hold(self, seconds: float) -> None:
        """Keep what is acknowledged for so many seconds of running time; 0: not at all."""
        self._hold_s = seconds
        if seconds and self._cursor.resend and not self.pending:
            self._begin(self._cursor.resend)  # a stop cut the last one off

    @property
    def pending(self) -> bool:
        """Whether there may be something to send again."""
        return self._done is not None

    @property
    def ready(self) -> bool:
        """Whether it can be had, as far as is known."""
        return self.pending and not self._interrupted

    def interrupted(self) -> None:
        """The disk does not answer."""
        self._interrupted = True

    def try_again(self) -> None:
        """The disk may answer again."""
        self._interrupted = False

    def released(self) -> Settled | None:
        """What has been held for long enough; None: nothing is held."""
        if not self._hold_s:
            return None
        now_s = self._clock.monotonic_s()
        if not self._seen or now_s - self._seen[-1][0] >= STEP_S:
            self._seen.append((now_s, self._cursor.settled.copy()))
        while not self.pending and self._seen and now_s - self._seen[0][0] >= self._hold_s:
            self._released = self._seen.popleft()[1]
        return self._released

    def give_up(self) -> bool:
        """There is no room to hold anything; returns whether something was held."""
        if not self._hold_s or self._released == self._cursor.settled:
            return False
        self._seen.clear()
        self._released = self._cursor.settled.copy()
        self.ended()
        return True

    def resend(self) -> bool:
        """The destination forgot what it had acknowledged; returns whether we have any of it."""
        settled = self._cursor.settled
        if not self._hold_s or self._released == settled:
            return False
        self._prolong()
        self._begin(settled.last)
        return True

    def ask(self, limits: Limits) -> Ask | None:
        """What to read next; None: everything went again."""
        if self._done is None:
            return None
        start, end = self._done.next_missing(1), self._cursor.resend
        if start > end:
            self.ended()
            return None
        return Ask(self._done.copy(), start, end, limits.records, limits.readings)

    def ended(self) -> None:
        """All of it that is on the card went again."""
        self._done = None
        self._cursor.resend = 0

    def answered(self, numbers: Iterable[int]) -> set[int]:
        """These were answered for; returns which of them had been before."""
        done = self._done
        if done is None:
            return set()
        again = {
            number for number in numbers if number <= self._cursor.resend and number not in done
        }
        for first, last in runs(sorted(again)):
            done.add(first, last)
        return again

    def _begin(self, end: int) -> None:
        settled = self._cursor.settled
        self._cursor.resend = end
        self._interrupted = False
        self._done = self._released.copy()
        start = 1
        for first, last in ((1, settled.through), *settled.ranges):
            if start < first:  # not acknowledged yet: it goes out by itself
                self._done.add(start, first - 1)
            start = last + 1

    def _prolong(self) -> None:
        """What goes again may be forgotten again: held once more, not for ever."""
        now_s = self._clock.monotonic_s()
        if self._prolonged_s is None or now_s - self._prolonged_s >= self._hold_s:
            self._prolonged_s = now_s
            self._seen.clear()
