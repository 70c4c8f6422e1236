"""How often who may ask, and how long who guesses has to wait; all of it bounded in memory."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

MINUTE_S = 60.0
WITHOUT_TOKEN = 10  # requests a minute and peer; page and probes excepted
WITH_TOKEN = 100  # requests a minute and token
TELEMETRY = 1000  # the same for telemetry, which is fetched in pages
GUESSES_FREE = 5  # failures a minute before waiting begins
WAIT_FIRST_S = 1.0
WAIT_MAX_S = 900.0
GUESSES_OF_ALL = 60  # failures a minute over all peers close the door for new ones
KEPT = 1024  # peers or tokens remembered; the longest unseen are forgotten first

Now = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands within the limit.

    Attributes:
        reset_s: seconds until the count begins anew.
    """

    limit: int
    remaining: int
    reset_s: int
    allowed: bool


class Rates:
    """Counts requests in windows of a minute."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, key: str, limit: int) -> Standing:
        """Count one request of `key`."""
        now_s = self._now()
        began_s, count = self._windows.pop(key, (now_s, 0))
        if now_s - began_s >= MINUTE_S:
            began_s, count = now_s, 0
        self._windows[key] = (began_s, count + 1)
        if len(self._windows) > KEPT:
            self._windows.popitem(last=False)
        reset_s = max(1, round(began_s + MINUTE_S - now_s))
        return Standing(limit, max(0, limit - count - 1), reset_s, allowed=count < limit)


@dataclass(slots=True)
class _Guesser:
    failures: deque[float]
    wait_s: float = 0.0
    until_s: float = 0.0


class Guesses:
    """Makes guessing slow: five failures a minute are free, then each doubles a wait."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._guessers: OrderedDict[str, _Guesser] = OrderedDict()
        self._all: deque[float] = deque(maxlen=GUESSES_OF_ALL)
        self._known: OrderedDict[str, None] = OrderedDict()

    def wait_s(self, key: str) -> float:
        """How long `key` has to wait before it may try, seconds; 0: go ahead."""
        now_s = self._now()
        guesser = self._guessers.get(key)
        if guesser and guesser.until_s > now_s:
            return guesser.until_s - now_s
        if key not in self._known and len(self._all) == GUESSES_OF_ALL:
            return max(0.0, self._all[0] + MINUTE_S - now_s)
        return 0.0

    def failed(self, key: str) -> None:
        """A wrong token came from `key`."""
        now_s = self._now()
        self._all.append(now_s)
        guesser = self._guessers.pop(key, None) or _Guesser(deque(maxlen=GUESSES_FREE + 1))
        self._guessers[key] = guesser
        if len(self._guessers) > KEPT:
            self._guessers.popitem(last=False)
        if guesser.wait_s and now_s - guesser.until_s > WAIT_MAX_S:
            guesser.wait_s = 0.0
        guesser.failures.append(now_s)
        many = len(guesser.failures) > GUESSES_FREE and now_s - guesser.failures[0] < MINUTE_S
        if many or guesser.wait_s:
            guesser.wait_s = min(WAIT_MAX_S, 2 * guesser.wait_s or WAIT_FIRST_S)
            guesser.until_s = now_s + guesser.wait_s

    def succeeded(self, key: str) -> None:
        """A right token came from `key`: the door stays open for it."""
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
