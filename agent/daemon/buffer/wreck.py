"""What a quarantined store said of itself, as the salvage child tells it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.daemon.buffer.eras import Anchor, Era, Source
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.lives import Life
from agent.daemon.buffer.model import Count, LossEntry, Refused
from agent.daemon.buffer.ranges import Settled
from agent.daemon.buffer.witness import Witness
from agent.plan import Json


@dataclass(slots=True)
class Old:
    """What a quarantined store said of itself.

    Attributes:
        owed: by destination, what was not settled when it broke.
        settled: by destination.
        unplaced: destinations of which nobody knows what they had settled.
    """

    last: int = 0
    lives: list[Life] = field(default_factory=list)
    eras: list[Era] = field(default_factory=list)
    owed: dict[str, Count] = field(default_factory=dict)
    settled: dict[str, Settled] = field(default_factory=dict)
    unplaced: list[str] = field(default_factory=list)
    rejected: list[Refused] = field(default_factory=list)
    losses: list[LossEntry] = field(default_factory=list)
    fullest: int = 0

    @property
    def unfinished(self) -> set[str]:
        """The destinations that were owed something, or may have been, or refused something."""
        owed = {name for name, count in self.owed.items() if count.samples}
        return owed | {refused.destination for refused in self.rejected} | set(self.unplaced)

    @classmethod
    def of(cls, head: Json, witness: Witness | None) -> "Old":
        """From the first line of the salvage; the witness tells its name where it does not."""
        lives = [Life(*life) for life in head["lives"]]
        eras = [
            Era(key, boot, ran, began, tuple(Anchor(n, m, w, Source(s)) for n, m, w, s in anchors))
            for key, boot, ran, began, anchors in head["eras"]
        ]
        return cls(
            last=head["last"],
            lives=lives or ([Life(1, witness.epoch, 0)] if witness else []),
            eras=eras,
            owed={name: Count(samples, readings) for name, _, samples, readings in head["cursors"]},
            settled={name: Settled.of(0, ranges) for name, ranges, _, _ in head["cursors"]},
            unplaced=head["unplaced"],
            rejected=[Refused(*row) for row in head["rejected"]],
            losses=_losses(head["losses"]),
            fullest=head["fullest"],
        )


def _losses(lines: Sequence[Sequence[Any]]) -> list[LossEntry]:
    """The ledger of a quarantined store; its keys are not given out again."""
    above = max((line[0] for line in lines), default=0)
    found = []
    for _, *row in lines:
        row[4], row[7] = Count(*row[4]), Loss(row[7])
        row[-1] = above
        found.append(LossEntry(*row))
    return found
