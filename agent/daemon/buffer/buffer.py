"""The buffer: what was put is on the card within the window, and stays until everybody has it."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from agent.clock import Clock
from agent.daemon.buffer.commits import Commits
from agent.daemon.buffer.database import PAGE_BYTES, Outdated
from agent.daemon.buffer.lock import lock
from agent.daemon.buffer.maker import make_store
from agent.daemon.buffer.model import Cursor, DestinationFacts, Done, Order, StoreFacts
from agent.daemon.buffer.outbox import Outbox
from agent.daemon.buffer.ranges import common
from agent.daemon.buffer.reading import Ask, Found
from agent.daemon.buffer.stock import Stock
from agent.daemon.buffer.store import Store
from agent.errors import NotFoundError
from agent.plan import Site
from agent.sample import Sample

T = TypeVar("T")
Args = TypeVarTuple("Args")

DELETE_EVERY_S = 60.0  # deleting more often costs more bytes than the samples themselves
DELETE_ON_S = 1.0  # between the steps of a long delete
WAL_SHARE_BYTES = 8 << 20  # of the quota: WAL, witness, lock
PAGES_MIN = 256


class Buffer:
    """The store of one gateway, its commits and its outboxes.

    Args:
        folder: the store's home; holds the lock and `buffer/buffer.db`.
        site: quota and loss window.
        clock: all time comes from here.
        destinations: names of the configured ones.
        make: makes or migrates the store in a folder.
    """

    def __init__(
        self,
        folder: Path,
        site: Site,
        clock: Clock,
        destinations: Sequence[str],
        *,
        make: Callable[[Path], Awaitable[None]] = make_store,
    ) -> None:
        self._folder = folder
        self._site = site
        self._clock = clock
        self._names = tuple(destinations)
        self._make = make
        self._stock = Stock(clock)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        pages = max(PAGES_MIN, (site.buffer_bytes - WAL_SHARE_BYTES) // PAGE_BYTES)
        self._store = Store(folder / "buffer" / "buffer.db", pages)
        self._commits = Commits(site.may_lose_s, clock, self._thread, self)
        self._outboxes: dict[str, Outbox] = {}
        self._removed: list[Cursor] = []
        self._lock: int | None = None
        self._used_bytes = self._written_bytes = self._commit_count = 0
        self._receipts_at_s = self._deletes_at_s = 0.0
        self._more_to_delete = self._closing = False

    async def open(self) -> None:
        """Open the store, made or migrated where needed.

        Raises:
            BusyError: another daemon has it.
            FieldpostError: there is no way to have a store here.
        """
        self._lock = lock(self._folder)
        now = self._clock.now()
        try:
            opened = await self._run(self._store.open, now, self._names)
        except Outdated:
            await self._make(self._folder)
            opened = await self._run(self._store.open, now, self._names)
        self._deletes_at_s = self._clock.monotonic_s() + DELETE_EVERY_S
        self._stock.begin(opened)
        self._used_bytes = opened.used_bytes
        self._removed = [c for c in opened.cursors if not c.configured]
        for cursor in opened.cursors:
            if cursor.configured:
                oldest = opened.oldest[cursor.name]
                self._outboxes[cursor.name] = Outbox(cursor, self._stock, self, oldest)

    async def close(self) -> None:
        """Commit everything and let go; the next start finds a clean store."""
        self._closing = True
        try:
            await self._commits.flush()
            await self._run(self._store.close, self._clock.now())
        finally:
            self._thread.shutdown(wait=False)
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    async def put(self, sample: Sample) -> None:
        """Accept a sample; waits while the queue is full, and for the commit of an urgent one."""
        commits = self._commits
        while commits.full:
            await commits.next_done()
        if not sample.values:
            return
        commits.accept(sample)
        if sample.urgent or self._site.may_lose_s <= 0:
            commits.want(0.0)
            try:
                await commits.next_done()
            except asyncio.CancelledError:
                commits.withdraw(sample)
                raise

    async def flush(self) -> None:
        """Commit everything accepted so far.

        Raises:
            BrokenError: the disk does not take it.
        """
        await self._commits.flush()

    def outbox(self, name: str) -> Outbox:
        """What waits for a destination.

        Raises:
            NotFoundError: there is no destination of that name.
        """
        if name not in self._outboxes:
            message = f"there is no destination {name!r}"
            raise NotFoundError(message)
        return self._outboxes[name]

    def facts(self) -> StoreFacts:
        """How the store is, from memory."""
        destinations = {name: self._of(box.cursor) for name, box in self._outboxes.items()}
        return StoreFacts(
            epoch=self._stock.epoch,
            quota_bytes=self._site.buffer_bytes,
            used_bytes=self._used_bytes,
            accepted_readings_total=self._stock.accepted.readings,
            lost_readings_total=sum(each.lost for each in destinations.values()),
            uncommitted_age_s=self._commits.uncommitted_age_s,
            written_bytes=self._written_bytes,
            commits=self._commit_count,
            starts=self._store.starts,
            broken=self._commits.broken,
            trusted_floor_ns=self._stock.floor_ns,
            destinations=destinations,
        )

    def compose(self, samples: list[Sample]) -> Order:
        """Everything the next transaction should hold."""
        order = Order(samples, self._clock.now(), self._stock.handed)
        now_s = self._clock.monotonic_s()
        boxes = self._outboxes.values()
        deletes = self._closing or now_s >= self._deletes_at_s
        changed = [box for box in boxes if box.changed]
        soon = min((box.receipts_s for box in changed), default=0.0)
        if changed and (deletes or now_s >= self._receipts_at_s + soon):
            self._receipts_at_s = now_s
            self._more_to_delete = True
            for box in changed:
                order.cursors.append(box.cursor.copy())
                order.rejected += box.refused
                box.refused, box.changed = [], False
        if deletes and self._more_to_delete:
            self._deletes_at_s = now_s + DELETE_EVERY_S
            self._more_to_delete = False
            order.delete = common(cursor.settled for cursor in self._cursors())
        return order

    def write(self, order: Order) -> Done:
        """Make it durable; runs on the store's thread."""
        return self._store.commit(order)

    def committed(self, done: Done) -> None:
        """Take in what a transaction left, and wake who waits for it."""
        urgent = self._stock.add(done)
        self._stock.settled(min((c.settled.through for c in self._cursors()), default=0))
        self._used_bytes, self._written_bytes = done.used_bytes, done.written_bytes
        self._commit_count += 1
        if done.more_to_delete:
            self._more_to_delete, self._deletes_at_s = True, 0.0
            self._commits.want(DELETE_ON_S)
        for box in self._outboxes.values():
            if done.chunks or done.eras:
                box.committed(urgent=urgent)

    async def read(self, ask: Ask) -> Found:
        """Read from the card."""
        return await self._run(self._store.read, ask)

    def want(self, within_s: float) -> None:
        """See to it that a commit takes place."""
        self._commits.want(within_s)

    def _cursors(self) -> list[Cursor]:
        return [*(box.cursor for box in self._outboxes.values()), *self._removed]

    def _of(self, cursor: Cursor) -> DestinationFacts:
        accepted = self._stock.accepted
        return DestinationFacts(
            accepted=(accepted - cursor.since).readings,
            delivered=cursor.delivered.readings,
            rejected=cursor.rejected.readings,
            lost=cursor.lost.readings,
            waiting=cursor.waiting(accepted).readings,
        )

    async def _run(self, work: Callable[[*Args], T], *args: *Args) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, *args)
