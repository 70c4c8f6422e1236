"""What waits for the next transaction beside samples and receipts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.giving_up import give_up, give_up_damaged, thin_out, unnumbered
from agent.daemon.buffer.model import Chunk, Count, Cursor, LossEntry, Refused
from agent.daemon.buffer.orders import Order, Progress, Rescued, Wreckage
from agent.daemon.buffer.ranges import Range
from agent.daemon.buffer.reading import Damage
from agent.daemon.buffer.stock import Stock
from agent.daemon.buffer.thinning import thinned
from agent.sample import Sample


@dataclass(slots=True)
class Pending:
    """Gathers until an order takes it along.

    Attributes:
        moved: cursors are to be saved, whatever else there is.
        refused: samples that policy gave up before they got a number: how many, from, to (ms).
    """

    drop: list[Range] = field(default_factory=list)
    replace: list[Chunk] = field(default_factory=list)
    thinned: tuple[int, int] | None = None
    losses: list[LossEntry] = field(default_factory=list)
    wreckage: Wreckage | None = None
    rescued: list[Rescued] = field(default_factory=list)
    rejected: list[Refused] = field(default_factory=list)
    progress: Progress | None = None
    refused: tuple[Count, int, int] | None = None
    moved: bool = False

    @property
    def moves_cursors(self) -> bool:
        """Whether cursors have to be saved in the same transaction."""
        counted = self.moved or self.losses or self.drop  # what is gone must not look lost later
        return bool(counted or self.rescued or self.wreckage or self.progress)

    def give_up(
        self, stock: Stock, cursors: list[Cursor], chunks: Iterable[Chunk], reason: Loss
    ) -> None:
        """Whole chunks go, for everyone who still waits for them."""
        for chunk in chunks:
            for cursor in cursors:
                self.lose(give_up(stock, cursor, chunk, reason))
            self._leave(stock, chunk.first, chunk.last)

    def give_up_damaged(self, stock: Stock, cursors: list[Cursor], damage: Damage) -> None:
        """A chunk goes that nobody can read."""
        last = stock.accepted.samples if damage.last is None else damage.last
        for cursor in cursors:
            self.lose(give_up_damaged(stock, cursor, damage, last))
        self.drop.append((damage.first, last))

    def thin(
        self, stock: Stock, cursors: list[Cursor], chunks: Sequence[Chunk], level: int
    ) -> None:
        """Of consecutive ordinary chunks only what is remarkable stays."""
        less = thinned(chunks, level)
        kept = {entry[0]: len(entry[3]) for chunk in less for entry in chunk.entries}
        for cursor in cursors:
            self.lose(thin_out(stock, cursor, chunks, kept))
        self._leave(stock, chunks[0].first, chunks[-1].last)
        stock.shelf.settled(chunks[-1].last)  # it has more than the card will have
        self.replace += less

    def lose(self, loss: LossEntry | None) -> None:
        """A line for the ledger, where something was lost at all."""
        if loss is not None:
            self.losses.append(loss)

    def refuse(self, sample: Sample) -> None:
        """Policy gives a sample up before it gets a number."""
        wall_ms = sample.at.wall_ns // 1_000_000
        count, since, _ = self.refused or (Count(), wall_ms, wall_ms)
        self.refused = (count + Count(1, len(sample.values)), since, wall_ms)

    def enter_refused(self, stock: Stock, cursors: list[Cursor]) -> None:
        """What was refused becomes a line for everybody."""
        if self.refused is not None:
            count, from_ms, to_ms = self.refused
            self.refused = None
            for cursor in cursors:
                self.losses.append(unnumbered(stock, cursor.name, count, (from_ms, to_ms)))

    def move_to(self, order: Order) -> None:
        """Everything goes with this order, which may be one that failed before."""
        order.drop += self.drop
        order.replace += self.replace
        order.losses += self.losses
        order.rescued += self.rescued
        order.rejected += self.rejected
        order.thinned = self.thinned or order.thinned
        order.wreckage = self.wreckage or order.wreckage
        order.progress = self.progress or order.progress

    def _leave(self, stock: Stock, first: int, last: int) -> None:
        self.drop.append((first, last))
        stock.leaving.add(first, last)
