"""The buffer: what was put is on the card within the window, and stays until everybody has it."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from agent.clock import Clock
from agent.daemon.buffer.commits import Commits
from agent.daemon.buffer.desk import Desk
from agent.daemon.buffer.facts import StoreFacts
from agent.daemon.buffer.keeper import Keeper
from agent.daemon.buffer.lock import lock
from agent.daemon.buffer.model import Count
from agent.daemon.buffer.opening import SOUND, Build, Opening
from agent.daemon.buffer.outbox import Outbox
from agent.daemon.buffer.requeue import Requeue
from agent.daemon.buffer.telling import facts_of
from agent.daemon.buffer.views import Views
from agent.errors import NotFoundError, UnavailableError
from agent.plan import Site
from agent.sample import Instant, Sample


class Buffer:
    """The store of one gateway, its commits and its outboxes.

    Args:
        folder: the store's home; holds lock, witness, ballast, quarantine and `buffer/buffer.db`.
        site: quota and loss window.
        clock: all time comes from here.
        destinations: names of the configured ones.
        build: another one is for the tests of the tests.

    Attributes:
        views: what is held, for people.
        requeue: what people may do with it.
        news: what was found when it was opened, sentences for people.
    """

    def __init__(
        self,
        folder: Path,
        site: Site,
        clock: Clock,
        destinations: Sequence[str],
        build: Build = SOUND,
    ) -> None:
        self._folder = folder
        self._site = site
        self._clock = clock
        self._thread = build.thread()
        self._opening = Opening(folder, site, tuple(destinations), self._thread, build)
        self._desk = Desk(clock, self._thread)
        self._commits = Commits(site.may_lose_s, clock, self._thread, self._desk)
        self._desk.want = self._commits.want
        self.views = Views(self._desk, self._commits.flush)
        self.requeue = Requeue(self._desk, self.views, self._commits.flush)
        self._keeper = Keeper(self._desk, self._opening, self._commits.flush)
        self.news: Sequence[str] = ()
        self._lock: int | None = None

    async def open(self) -> None:
        """Open the store, whatever is found in its folder; made or migrated where needed.

        Raises:
            BusyError: another daemon has it.
            FieldpostError: not even RAM can hold one.
        """
        self._lock = lock(self._folder)
        store, opened = await self._opening.open(self._clock.now())
        self.news = opened.news
        self._desk.begin(store, opened)
        with suppress(UnavailableError):  # what was asked for waits for a store that answers
            await self.requeue.begin()

    async def run(self) -> None:
        """All that the store does by itself: make room, expire, salvage; until cancelled.

        Raises:
            NewStartError: only that leads to a good store.
        """
        await self._keeper.run()

    async def close(self) -> Count:
        """Commit everything and let go; the next start finds a clean store.

        Returns:
            What is not on the card, for lack of room or because it refuses: that is noted beside
            the store, and the next start enters it in the ledger.
        """
        self._desk.closing, left = True, Count()
        try:
            if self._desk.store is not None:
                await self._commits.flush()
                left = self._commits.left
                left = await self._thread.run(self._desk.store.close, self._clock.now(), left)
        finally:
            self._thread.stop()
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None
        return left

    async def put(self, sample: Sample) -> None:
        """Accept a sample; waits while the queue is full, and for the commit of an urgent one."""
        commits = self._commits
        while commits.full:
            await commits.next_done()
        if not sample.values:
            return
        if self._desk.refusing and not sample.urgent:
            self._desk.refuse(sample)
            return
        commits.accept(sample)
        if sample.urgent or self._site.may_lose_s <= 0:
            commits.want(0.0)
            try:
                await commits.next_done()
            except asyncio.CancelledError:
                commits.withdraw(sample)
                raise

    async def look_after(self) -> None:
        """One round of what `run` does, now."""
        await self._keeper.look_after()

    async def salvage(self) -> None:
        """Bring in what quarantined stores still hold; `run` begins with it."""
        await self._keeper.salvage()

    async def flush(self) -> bool:
        """Commit everything accepted so far; False: the quota leaves no room for it."""
        return await self._commits.flush()

    def outbox(self, name: str) -> Outbox:
        """What waits for a destination.

        Raises:
            NotFoundError: there is no destination of that name.
        """
        if name not in self._desk.outboxes:
            message = f"there is no destination {name!r}"
            raise NotFoundError(message)
        return self._desk.outboxes[name]

    def awoke(self, opening: Instant) -> bool:
        """Whether this is not the first boot, and nobody had opened the store in it before.

        Args:
            opening: just before it was opened.
        """
        eras = self._desk.stock.eras.values()
        here = [era for era in eras if era.boot == opening.boot]
        return len(here) < len(eras) and all(era.began_ns >= opening.mono_ns for era in here)

    def facts(self) -> StoreFacts:
        """How the store is, from memory."""
        desk, stock = self._desk, self._desk.stock
        destinations = {
            name: facts_of(box.cursor, stock.accepted, desk.lost_by_reason(name))
            for name, box in desk.outboxes.items()
        }
        return StoreFacts(
            epoch=stock.epoch,
            quota_bytes=self._site.buffer_bytes,
            used_bytes=desk.space.used_bytes + self._keeper.beside_bytes,
            accepted_readings_total=stock.accepted.readings - desk.repeated,
            lost_readings_total=sum(each.lost for each in destinations.values()),
            uncommitted_age_s=self._commits.uncommitted_age_s,
            written_bytes=desk.written_bytes,
            commits=desk.commit_count,
            starts=desk.starts,
            broken=desk.broken,
            set_aside=self._keeper.set_aside,
            destinations=destinations,
        )
