"""How much one request carries: less once a destination has choked on it, more again by and by.

Too large is too large: the next request is half of it. Too much (429, or 503 with Retry-After) may
also mean too often, and more, smaller requests would only make that worse: the same is asked once
more after the pause that was wished for, and only what is too much then as well becomes smaller.
"""

from dataclasses import replace

from agent.cloud import Batch, BatchTooLarge, Limits, Overloaded

FED = 20  # answers in a row after which twice as much is tried; doubles where that was in vain
FED_MAX = 640
LEAST = 10  # records: below it headers cost more than readings. What is too large has no such floor


class Appetite:
    """What one destination takes at once, as its answers show."""

    def __init__(self) -> None:
        self._most: int | None = None  # records in a request; None: what its limits say
        self._fed = 0
        self._patience = FED
        self._grown = self._asked = False

    def narrowed(self, limits: Limits) -> Limits:
        """What of its limits goes into one batch."""
        if self._most is None or self._most >= limits.records:
            return limits
        return replace(limits, records=self._most)

    def bite(self, batch: Batch) -> Batch:
        """The leading records of a batch, as many as it takes."""
        if self._most is None or self._most >= len(batch.records):
            return batch
        return Batch(batch.records[: self._most])

    def fed(self) -> None:
        """A request was answered."""
        self._asked = False
        self._fed += 1
        if self._most is not None and self._fed >= self._patience:
            self._most, self._fed, self._grown = self._most * 2, 0, True

    def choked(self, records: int, error: Overloaded | BatchTooLarge) -> None:
        """A request with so many records was too much."""
        if isinstance(error, BatchTooLarge):
            # a lone record that is too large is to blame itself: others may go together as before
            self._shrink(records // 2 or None)
        elif self._asked:
            self._shrink(min(records, max(LEAST, records // 2)))
        else:
            self._asked = True

    def _shrink(self, most: int | None) -> None:
        if self._grown and not self._fed:
            self._patience = min(2 * self._patience, FED_MAX)
        self._most, self._fed, self._grown = most, 0, False
