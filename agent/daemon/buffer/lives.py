"""The name a sample goes by outside: which life of the store its number belongs to.

Inside, samples are counted up by one for ever, and everything (cursors, ranges, losses) speaks of
these numbers. Outside, a sample is (epoch, seq). A new epoch begins whenever the store cannot vouch
for its numbers; what was rescued from another store keeps the epoch and seq it had there.
"""

import secrets
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NEVER = 1 << 63  # above every number
SURPASSED = "a destination knows of higher numbers"  # a life that is never doubted itself


@dataclass(frozen=True, slots=True)
class Life:
    """From number `first` on, the name is `epoch` and number - `shift`."""

    first: int
    epoch: str
    shift: int
    reason: str = "created"


class Lives:
    """Translates numbers into names and back."""

    def __init__(self, known: Iterable[Life] = ()) -> None:
        self._lives = sorted(known, key=lambda life: life.first)
        self._firsts = [life.first for life in self._lives]

    @property
    def known(self) -> Sequence[Life]:
        """All lives, oldest first."""
        return self._lives

    @property
    def current(self) -> Life:
        """The life that new samples are born into."""
        return self._lives[-1]

    def of(self, number: int) -> Life:
        """The life a number belongs to."""
        return self._lives[max(0, bisect_right(self._firsts, number) - 1)]

    def until(self, number: int) -> int | None:
        """The first number of the life after this number's, or None while it lasts."""
        place = bisect_right(self._firsts, number)
        return self._firsts[place] if place < len(self._firsts) else None

    def stretch(self, number: int) -> tuple[Life, int]:
        """The life a number belongs to, and the first number that does not belong to it."""
        return self.of(number), self.until(number) or NEVER

    def number(self, epoch: str, seq: int) -> int | None:
        """The number that goes by this name, or None when nothing does."""
        for place in range(len(self._lives) - 1, -1, -1):
            life = self._lives[place]
            number = seq + life.shift
            if life.epoch == epoch and number >= life.first and self.of(number) is life:
                return number
        return None

    def begin(self, first: int, *, epoch: str | None = None, seq: int = 1, reason: str) -> Life:
        """From `first` on, go by (epoch, seq, seq + 1, …); a random epoch unless one is given."""
        life = Life(first, epoch or secrets.token_hex(16), first - seq, reason)
        if self._firsts and self._firsts[-1] == first:
            self._lives.pop()
            self._firsts.pop()
        self._lives.append(life)
        self._firsts.append(first)
        return life
