"""What a driver measured of its own connection, for those that can."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

# upper edges of the classes in which the lengths of reads are counted, seconds
EDGES_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Figures:
    """One connection, since its driver was opened.

    Attributes:
        busy: share of the last five minutes in which the wire was in use, 0 to 1.
        overruns: scheduled reads that were skipped because the wire was busy for too long.
        answers_s: by device, the median of how long its newest answers took: from the end of the
            question to the end of the answer.
        latency_s: by device, the median of how long its newest answers took to begin: from
            how long they took, less their bytes on the wire.
        shares: by device, its part of `busy`.
        refused: by device, what it does not give with one request although it gives the parts:
            `holding 0-71`.
        polls: how many scheduled reads took how long: one number for each of `EDGES_S`, and one
            for those that were longer.
        polls_s: what all of them took together.
    """

    busy: float
    overruns: int = 0
    answers_s: Mapping[str, float] = field(default_factory=dict)
    latency_s: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    refused: Mapping[str, Sequence[str]] = field(default_factory=dict)
    polls: Sequence[int] = ()
    polls_s: float = 0.0


@runtime_checkable
class Measures(Protocol):
    """A driver that knows how busy its wire is and how fast its devices answer."""

    def figures(self) -> Figures:
        """As of now; costs little, and is asked for every ten seconds."""
        ...
