"""How well a profile that may fit does fit: it is tried, and what it reads has to be possible.

One register that is not empty proves nothing. A mains frequency and a mains voltage where the
profile has them do, and so does the model's name in plain text.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.driver import Asker, Mark, Quality, Reading, Trial

TELLING: Final = {"Hz": (45.0, 66.0), "V": (85.0, 500.0)}  # of mains
MOST_POINTS: Final = 4  # tried for each profile
ENOUGH: Final = 2  # that have to be right
MOST_PROFILES: Final = 3  # named for one device; of more, none is likely
SHORTEST_NAME: Final = 3
_WORD: Final = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Guess:
    """A profile that may fit.

    Attributes:
        right: what it reads that is possible, as `50 Hz`.
        wrong: so many points that are not.
    """

    profile: str
    right: Sequence[str]
    wrong: int

    @property
    def likely(self) -> bool:
        """Whether it is worth naming."""
        return len(self.right) >= ENOUGH and len(self.right) > self.wrong


async def guessed(
    marks: Iterable[Mark], asker: Asker, address: int, trial: Trial | None
) -> Sequence[Guess]:
    """The profiles that fit, the likeliest first.

    Args:
        marks: of profiles that are possible.
        asker: the wire.
        address: of the device.
        trial: how a point is read.
    """
    if trial is None:
        return []
    found = [await _tried(mark, asker, address, trial) for mark in marks]
    likely = [guess for guess in found if guess.likely]
    return sorted(likely, key=lambda g: (g.wrong, -len(g.right)))[:MOST_PROFILES]


def telling(units: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """The points of a profile that are worth trying: a frequency, and some voltages."""
    fitting = [(name, unit) for name, unit in units if unit in TELLING]
    return dict(sorted(fitting, key=lambda one: [*TELLING].index(one[1]))[:MOST_POINTS])


def names(data: bytes, profile: str) -> str:
    """The text in these registers, where it begins with a name that the profile has too."""
    text = data.split(b"\0", 1)[0].decode("ascii", "replace").strip()
    word = _WORD.match(text)
    known = len(word[0]) >= SHORTEST_NAME and word[0].casefold() in profile if word else False
    return text if known and text.isprintable() else ""


async def _tried(mark: Mark, asker: Asker, address: int, trial: Trial) -> Guess:
    right: list[str] = []
    wrong = 0
    for point, unit in mark.telling.items():
        reading = await trial(asker, mark.profile, address, point)
        if reading is not None and _possible(reading, unit):
            right.append(f"{reading.value:.4g} {unit}")
        else:
            wrong += 1
        if wrong > len(right) + 1:
            break  # it cannot be likely any more
    return Guess(mark.profile, right, wrong)


def _possible(reading: Reading, unit: str) -> bool:
    low, high = TELLING[unit]
    value = reading.value
    if reading.quality is not Quality.GOOD or not isinstance(value, int | float):
        return False
    return low <= value <= high
