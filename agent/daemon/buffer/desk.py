"""The counter between accepting and storing: what each transaction holds, and what it changed."""

from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from agent.clock import Clock
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.giving_up import give_up, missing
from agent.daemon.buffer.model import Chunk, Count, Cursor, Kind, LossEntry, Opened, Refused, Space
from agent.daemon.buffer.orders import Done, Order, Progress, Rescued, Wreckage
from agent.daemon.buffer.outbox import Outbox
from agent.daemon.buffer.pending import Pending
from agent.daemon.buffer.ranges import common
from agent.daemon.buffer.reading import Ask, Damage, Found
from agent.daemon.buffer.stock import Stock
from agent.daemon.buffer.store import Store
from agent.daemon.buffer.telling import tell
from agent.daemon.buffer.thread import StoreThread
from agent.sample import Sample

Want = Callable[[float], None]

DELETE_EVERY_S = 60.0  # deleting more often costs more bytes than the samples themselves
DELETE_ON_S = 1.0  # between the steps of a long delete
REFUSED_S = 1.0  # what is given up before it is stored is counted as soon as it would be stored


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
        fault: a bug on the store's thread; nothing is committed any more.
        hopeless: the store is damaged and only a new start helps.
        exiled: the whole store is in RAM, until the disk answers.
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
        self.fault: BaseException | None = None
        self.hopeless = self.closing = self.exiled = False
        self.want: Want = _nobody
        self.look: Look = _nothing
        self.refusing = False
        self.thinned = (0, 0)
        self.lost: dict[str, dict[str, int]] = {}
        self._next = Pending()
        self.reserved: Progress | None = None
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
        self.broken = opened.broken
        self.exiled = opened.broken is not None

    def give_up(self, chunks: Iterable[Chunk], reason: Loss) -> None:
        """Let whole chunks go with the next commit, for everyone who still waits for them."""
        self._next.give_up(self.stock, self.cursors, chunks, reason)
        self._all_changed()

    def thin(self, chunks: Sequence[Chunk], level: int, through: tuple[int, int]) -> None:
        """Keep only what is remarkable of these chunks, with the next commit.

        Args:
            chunks: ordinary, with no other chunk between them.
            level: THINNED or THINNED_TWICE.
            through: to where the store is then thinned once and twice.
        """
        self._next.thin(self.stock, self.cursors, chunks, level)
        self._next.thinned = self.thinned = through
        self._all_changed()

    def expire(self, cursor: Cursor, chunks: Iterable[Chunk]) -> None:
        """One destination gives up chunks that it has kept for long enough."""
        for chunk in chunks:
            self._next.lose(give_up(self.stock, cursor, chunk, Loss.EXPIRED))
        self._all_changed()

    def damaged(self, damages: Sequence[Damage]) -> None:
        """Give up chunks that nobody can read."""
        for damage in damages:
            self._next.give_up_damaged(self.stock, self.cursors, damage)
        self._all_changed()

    def reconcile(self, cursor: Cursor) -> None:
        """Enter as lost what a cursor still counts when nothing is left."""
        if loss := missing(self.stock, cursor):
            self._next.lose(loss)
            self._all_changed()

    def reserve(self, wreckage: Wreckage) -> None:
        """Have a block of numbers set aside with the next commit; `reserved` has it then."""
        self.reserved, self._next.wreckage = None, wreckage
        self.want(0.0)

    def bring_in(self, rescued: list[Rescued], progress: Progress) -> None:
        """Have salvaged chunks put into their block with the next commit."""
        self._next.rescued += rescued
        self._next.progress = progress
        self.want(0.0)

    def keep_refused(self, refused: Sequence[Refused]) -> None:
        """Have salvaged records that were refused kept with the next commit, and counted."""
        for cursor in self.cursors:
            readings = [each.readings for each in refused if each.destination == cursor.name]
            count = Count(len(readings), sum(readings))
            cursor.rejected += count
            cursor.since -= count
        self._next.rejected += refused
        self.save_cursors()

    def enter(self, losses: Sequence[LossEntry]) -> None:
        """Have losses entered in the ledger with the next commit."""
        self._next.losses += losses
        self.want(0.0)

    def save_cursors(self) -> None:
        """Have cursors and receipts saved with the next commit, not some time later."""
        self._next.moved = True
        self.want(0.0)

    def delete_settled(self) -> bool:
        """Have what everybody has deleted with the next commit; False when that is done."""
        boxes = self.outboxes.values()
        if not self._to_delete and not any(box.changed for box in boxes):
            # what was acknowledged goes before anything that somebody still waits for
            given_up = [box.tail.give_up() for box in boxes]
            if not any(given_up):
                return False
        self._to_delete, self._deletes_at_s = True, 0.0
        return True

    def refuse(self, sample: Sample) -> None:
        """Give up a sample that there is no room for; it never gets a number."""
        self._next.refuse(sample)
        self.want(REFUSED_S)

    def compose(self, samples: list[Sample]) -> Order:
        """An order for these samples."""
        return Order(samples, self.clock.now(), self.stock.handed, self.stock.renames(self.cursors))

    def amend(self, order: Order) -> None:
        """Add everything else the next transaction should hold."""
        now_s = self.clock.monotonic_s()
        for cursor in self.cursors:
            self.reconcile(cursor)
        self._next.enter_refused(self.stock, self.cursors)
        changed = [box for box in self.outboxes.values() if box.changed]
        soon_s = min((box.receipts_s for box in changed), default=0.0)
        deletes = self.closing or now_s >= self._deletes_at_s
        if self._next.moves_cursors or (
            changed and (deletes or now_s >= self._receipts_at_s + soon_s)
        ):
            self._add_receipts(order, now_s)
        if self._to_delete and deletes:
            self._to_delete = False
            self._deletes_at_s = now_s + DELETE_EVERY_S
            held = [released for box in self.outboxes.values() if (released := box.tail.released())]
            order.delete = common([*(cursor.settled for cursor in self.cursors), *held])
        self._next.move_to(order)
        for loss in self._next.losses:
            reasons = self.lost.setdefault(loss.destination, {})
            reasons[loss.reason] = reasons.get(loss.reason, 0) + loss.count.readings
        self._next = Pending()

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
        self._take_in_rescued(done)
        self.hopeless = self.hopeless or done.damaged
        if not self.exiled:
            tell(done, self.broken)
            self.broken = done.broken
        if done.dropped:
            self.give_up(done.dropped, Loss.RAM_OVERFLOW)
        if done.more_to_delete:
            self._to_delete, self._deletes_at_s = True, 0.0
            self.want(DELETE_ON_S)
        left = not done.broken and not self._next.drop and self.stock.have_left()
        if left or done.chunks or done.eras or done.lives or done.rescued:
            for box in self.outboxes.values():
                box.committed(urgent=urgent, filled=bool(done.rescued))
        self.look(full=False)

    def gave_up(self, error: BaseException) -> None:
        """Something happened on the store's thread that nobody foresaw; `Buffer.run` raises it."""
        self.fault = error
        self.look(full=False)

    def out_of_room(self) -> None:
        """The quota leaves none for what has to be committed."""
        self.look(full=True)

    def lost_by_reason(self, destination: str) -> dict[str, int]:
        """Readings, those included that wait for their commit."""
        lost = dict(self.lost.get(destination, {}))
        for loss in self._next.losses:
            if loss.destination == destination:
                lost[loss.reason] = lost.get(loss.reason, 0) + loss.count.readings
        return lost

    async def read(self, ask: Ask) -> Found:
        """Read from the card."""
        if self.store is None:
            return Found(incomplete=True)
        found = await self.thread.run(self.store.read, ask)
        if found.hopeless:
            self.hopeless = True
            self.look(full=False)
        return found

    def _add_receipts(self, order: Order, now_s: float) -> None:
        self._receipts_at_s = now_s
        self._to_delete = True
        order.cursors += [cursor.copy() for cursor in self.cursors]
        for box in self.outboxes.values():
            order.rejected += box.refused
            box.refused, box.changed = [], False

    def _take_in_rescued(self, done: Done) -> None:
        if done.reserved is not None:
            for cursor in self.cursors:
                done.reserved.set_aside(cursor)
            for box in self.outboxes.values():
                box.island(done.reserved.first, done.reserved.last)
            self.stock.shelf.part(readable=True)  # it lies behind samples of the same transaction
            # what comes back may have left before, with the stamps it has
            self.stock.handed = max(self.stock.handed, done.reserved.last)
            self.reserved = done.reserved
        for rescued in done.rescued:
            for cursor in self.cursors:
                rescued.owe(cursor)
            if rescued.chunk.lane is Kind.URGENT:
                insort(self.stock.urgent, rescued.chunk.first)
        if done.rescued:
            self.stock.version += 1

    def _all_changed(self) -> None:
        for box in self.outboxes.values():
            box.changed = True
        self.want(0.0)


def _nobody(within_s: float) -> None:
    del within_s


def _nothing(*, full: bool) -> None:
    del full
