"""The counter between accepting and storing: what each transaction holds, and what it changed."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from agent import logging
from agent.clock import Clock
from agent.daemon.buffer.facts import DestinationFacts, Loss
from agent.daemon.buffer.giving_up import give_up, give_up_damaged, missing, thin_out, unnumbered
from agent.daemon.buffer.model import Chunk, Count, Cursor, Done, LossEntry, Opened, Order, Space
from agent.daemon.buffer.outbox import Outbox
from agent.daemon.buffer.ranges import Range, common
from agent.daemon.buffer.reading import Ask, Damage, Found
from agent.daemon.buffer.stock import Stock
from agent.daemon.buffer.store import Store
from agent.daemon.buffer.thinning import thinned
from agent.daemon.buffer.thread import StoreThread
from agent.sample import Sample

log = logging.get("buffer")

Want = Callable[[float], None]

DELETE_EVERY_S = 60.0  # deleting more often costs more bytes than the samples themselves
DELETE_ON_S = 1.0  # between the steps of a long delete


class Look(Protocol):
    """Looks whether room has to be made."""

    def __call__(self, *, full: bool) -> None:
        """Look; `full`: the quota leaves none for what has to be committed."""
        ...


class Desk:
    """Composes orders, takes in what became of them, and tells the outboxes.

    Attributes:
        want: sees to it that a commit takes place within so many seconds.
        look: called after every commit, and when the quota leaves no room.
        broken: why everything is in RAM only, or None.
        hopeless: the store is damaged and only a new start helps.
        refusing: new ordinary samples are given up, by policy.
        thinned: numbers through which the store is thinned once and twice.
        lost: readings by destination and reason, as the ledger has them.
    """

    def __init__(self, clock: Clock, thread: StoreThread) -> None:
        self.clock = clock
        self.thread = thread
        self.store: Store | None = None
        self.stock = Stock(clock)
        self.outboxes: dict[str, Outbox] = {}
        self.removed: list[Cursor] = []
        self.space = Space(0, 0)
        self.written_bytes = self.commit_count = self.starts = self.repeated = 0
        self.broken: str | None = None
        self.hopeless = self.closing = False
        self.want: Want = _nobody
        self.look: Look = _nothing
        self.refusing = False
        self.thinned = (0, 0)
        self.lost: dict[str, dict[str, int]] = {}
        self._drop: list[Range] = []
        self._replace: list[Chunk] = []
        self._thinned: tuple[int, int] | None = None
        self._losses: list[LossEntry] = []
        self._refused: tuple[Count, int, int] | None = None
        self._receipts_at_s = self._deletes_at_s = 0.0
        self._to_delete = False

    @property
    def cursors(self) -> list[Cursor]:
        """Of all destinations, configured or not."""
        return [*(box.cursor for box in self.outboxes.values()), *self.removed]

    def begin(self, store: Store, opened: Opened) -> None:
        """Take up an open store."""
        self.store = store
        self.stock.begin(opened)
        self.thinned = opened.thinned
        self.lost = {name: dict(reasons) for name, reasons in opened.lost.items()}
        self.space, self.starts, self.repeated = opened.space, opened.starts, opened.repeated
        self._deletes_at_s = self.clock.monotonic_s() + DELETE_EVERY_S
        self.removed = [cursor for cursor in opened.cursors if not cursor.configured]
        for cursor in opened.cursors:
            if cursor.configured:
                oldest = opened.oldest[cursor.name]
                self.outboxes[cursor.name] = Outbox(cursor, self.stock, self, oldest)
        for sentence in opened.news:
            log.warning(sentence, event_type="store.opened")

    def give_up(self, chunks: Iterable[Chunk], reason: Loss) -> None:
        """Let whole chunks go with the next commit, for everyone who still waits for them."""
        for chunk in chunks:
            for cursor in self.cursors:
                loss = give_up(self.stock, cursor, chunk, reason)
                self._losses += [loss] if loss else []
            self._drop.append((chunk.first, chunk.last))
        self._all_changed()

    def thin(self, chunks: Sequence[Chunk], level: int, through: tuple[int, int]) -> None:
        """Keep only what is remarkable of these chunks, with the next commit.

        Args:
            chunks: ordinary, with no other chunk between them.
            level: THINNED or THINNED_TWICE.
            through: to where the store is then thinned once and twice.
        """
        less = thinned(chunks, level)
        kept = {entry[0]: len(entry[3]) for chunk in less for entry in chunk.entries}
        for cursor in self.cursors:
            loss = thin_out(self.stock, cursor, chunks, kept)
            self._losses += [loss] if loss else []
        self._drop.append((chunks[0].first, chunks[-1].last))
        self._replace += less
        self._thinned = self.thinned = through
        self._all_changed()

    def expire(self, cursor: Cursor, chunks: Iterable[Chunk]) -> None:
        """One destination gives up chunks that it has kept for long enough."""
        for chunk in chunks:
            loss = give_up(self.stock, cursor, chunk, Loss.EXPIRED)
            self._losses += [loss] if loss else []
        self._all_changed()

    def damaged(self, damages: Sequence[Damage]) -> None:
        """Give up chunks that nobody can read."""
        for damage in damages:
            last = self.stock.accepted.samples if damage.last is None else damage.last
            for cursor in self.cursors:
                loss = give_up_damaged(self.stock, cursor, damage, last)
                self._losses += [loss] if loss else []
            self._drop.append((damage.first, last))
        self._all_changed()

    def reconcile(self, cursor: Cursor) -> None:
        """Enter as lost what a cursor still counts although nothing is left."""
        left = cursor.waiting(self.stock.accepted)
        if left == Count():
            return
        cursor.lost += left
        self._losses.append(missing(self.stock, cursor, left))
        self._all_changed()

    def delete_settled(self) -> bool:
        """Have what everybody has deleted with the next commit; False when that is done."""
        if not self._to_delete and not any(box.changed for box in self.outboxes.values()):
            return False
        self._to_delete, self._deletes_at_s = True, 0.0
        return True

    def refuse(self, sample: Sample) -> None:
        """Give up a sample that there is no room for; it never gets a number."""
        wall_ms = sample.at.wall_ns // 1_000_000
        since = self._refused[1] if self._refused else wall_ms
        count = self._refused[0] if self._refused else Count()
        self._refused = (count + Count(1, len(sample.values)), since, wall_ms)
        self.want(DELETE_EVERY_S)

    def compose(self, samples: list[Sample]) -> Order:
        """An order for these samples."""
        return Order(samples, self.clock.now(), self.stock.handed)

    def amend(self, order: Order) -> None:
        """Add everything else the next transaction should hold."""
        now_s = self.clock.monotonic_s()
        changed = [box for box in self.outboxes.values() if box.changed]
        soon_s = min((box.receipts_s for box in changed), default=0.0)
        deletes = self.closing or now_s >= self._deletes_at_s
        if self._losses or (changed and (deletes or now_s >= self._receipts_at_s + soon_s)):
            self._add_receipts(order, now_s)
        if self._to_delete and deletes:
            self._to_delete = False
            self._deletes_at_s = now_s + DELETE_EVERY_S
            order.delete = common(cursor.settled for cursor in self.cursors)
        order.drop, self._drop = order.drop + self._drop, []
        order.replace, self._replace = order.replace + self._replace, []
        order.thinned, self._thinned = self._thinned or order.thinned, None
        self._enter_refused()
        for loss in self._losses:
            reasons = self.lost.setdefault(loss.destination, {})
            reasons[loss.reason] = reasons.get(loss.reason, 0) + loss.count.readings
        order.losses, self._losses = order.losses + self._losses, []

    def write(self, order: Order) -> Done:
        """Make it durable; runs on the store's thread."""
        if self.store is None:
            message = "the store is not open"
            raise RuntimeError(message)
        return self.store.commit(order)

    def committed(self, done: Done) -> None:
        """Take in what a transaction left, and wake who waits for it."""
        urgent = self.stock.add(done)
        self.stock.settled(min((c.settled.through for c in self.cursors), default=0))
        self.space, self.written_bytes = done.space, done.written_bytes
        self.commit_count += 1
        self._note_trouble(done)
        if done.dropped:
            self.give_up(done.dropped, Loss.RAM_OVERFLOW)
        if done.more_to_delete:
            self._to_delete, self._deletes_at_s = True, 0.0
            self.want(DELETE_ON_S)
        if done.chunks or done.eras or done.lives:
            for box in self.outboxes.values():
                box.committed(urgent=urgent)
        self.look(full=False)

    def out_of_room(self) -> None:
        """The quota leaves none for what has to be committed."""
        self.look(full=True)

    async def read(self, ask: Ask) -> Found:
        """Read from the card."""
        if self.store is None:
            return Found(incomplete=True)
        return await self.thread.run(self.store.read, ask)

    def facts_of(self, cursor: Cursor) -> DestinationFacts:
        """One destination in figures."""
        accepted = self.stock.accepted
        return DestinationFacts(
            accepted=(accepted - cursor.since).readings,
            lost_by_reason=dict(self.lost.get(cursor.name, {})),
            accepted_samples=(accepted - cursor.since).samples,
            delivered=cursor.delivered.readings,
            rejected=cursor.rejected.readings,
            lost=cursor.lost.readings,
            waiting=cursor.waiting(accepted).readings,
        )

    def _add_receipts(self, order: Order, now_s: float) -> None:
        self._receipts_at_s = now_s
        self._to_delete = True
        order.cursors += [cursor.copy() for cursor in self.cursors]
        for box in self.outboxes.values():
            order.rejected += box.refused
            box.refused, box.changed = [], False

    def _enter_refused(self) -> None:
        if self._refused is None:
            return
        count, from_ms, to_ms = self._refused
        self._refused = None
        self._losses += [
            unnumbered(self.stock, cursor.name, count, (from_ms, to_ms)) for cursor in self.cursors
        ]

    def _all_changed(self) -> None:
        for box in self.outboxes.values():
            box.changed = True
        self.want(0.0)

    def _note_trouble(self, done: Done) -> None:
        self.hopeless = done.damaged
        if done.trouble:
            log.warning(
                "The disk answered with an error; nothing is lost.",
                event_type="store.trouble",
                error=done.trouble,
            )
        if done.broken and self.broken is None:
            log.error(
                "The disk does not take the samples; they are kept in RAM.",
                event_type="store.broken",
                error=done.broken,
            )
        elif self.broken and not done.broken:
            log.warning("The disk takes samples again.", event_type="store.recovered")
        self.broken = done.broken


def _nobody(within_s: float) -> None:
    del within_s


def _nothing(*, full: bool) -> None:
    del full
