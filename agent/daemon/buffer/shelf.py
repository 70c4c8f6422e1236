"""The newest committed chunks, kept in RAM so that the live lane need not decode them again."""

from collections import deque

from agent.daemon.buffer.model import Chunk
from agent.daemon.buffer.reading import Ask, Found

READINGS_MAX = 20_000  # about 2 MB of Python objects; what is older comes from the card


class Shelf:
    """Consecutive chunks up to the newest committed one.

    Attributes:
        gaps: what was being written when the card broke is missing between them.
    """

    def __init__(self, readings_max: int = READINGS_MAX) -> None:
        self._chunks: deque[Chunk] = deque()
        self._readings = 0
        self._readings_max = readings_max
        self.gaps = False

    def add(self, chunk: Chunk) -> None:
        """Put the newest on; the oldest leave when there is no room."""
        self._chunks.append(chunk)
        self._readings += chunk.readings
        while self._readings > self._readings_max:
            self._drop()

    def settled(self, through: int) -> None:
        """Every destination has all up to here."""
        while self._chunks and self._chunks[0].last <= through:
            self._drop()

    def part(self, *, readable: bool) -> None:
        """What is held back lies between what is on it; only a card that answers has the rest."""
        self.gaps = not readable
        if readable:
            self._chunks.clear()
            self._readings = 0

    def read(self, ask: Ask) -> Found | None:
        """The same as reading from the card, or None when some of it lies only there."""
        start = ask.settled.next_missing(ask.start)
        if start <= ask.end and (not self._chunks or start < self._chunks[0].first):
            return None
        found = Found(incomplete=self.gaps)
        for chunk in self._chunks:
            if chunk.last < start or ask.settled.covers(chunk.first, chunk.last):
                continue
            if chunk.first > ask.end or ask.full(found):
                break
            if ask.lane is None or ask.lane is chunk.lane:
                found.add(chunk)
        return found

    def _drop(self) -> None:
        self._readings -= self._chunks.popleft().readings
