"""What the instruments really produced, kept by themselves, to be compared with what arrived."""

from array import array
from collections import defaultdict

KEPT = 200_000  # instants per device, 1.6 MB: two days at one a second


class Produced:
    """Per device: the wall-clock seconds at which it said something somebody listened to."""

    def __init__(self) -> None:
        self._at: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))

    def add(self, device: str, wall_s: float) -> None:
        """One answer, line or advertisement went out."""
        instants = self._at[device]
        instants.append(wall_s)
        if len(instants) > KEPT:
            del instants[: KEPT // 2]

    def all(self) -> dict[str, list[float]]:
        """Every kept instant, by device."""
        return {name: list(at) for name, at in self._at.items()}
