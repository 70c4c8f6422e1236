"""What the store does by itself: make room by policy, expire, look whether the disk is back."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import groupby

from agent.daemon.buffer.codec import THINNED, THINNED_TWICE
from agent.daemon.buffer.database import PAGE_BYTES
from agent.daemon.buffer.desk import Desk
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.model import Chunk, Kind
from agent.daemon.buffer.noting import RamNote, exile_of
from agent.daemon.buffer.opening import EXILE, Opening
from agent.daemon.buffer.outbox import Outbox
from agent.daemon.buffer.overflow import SHARE as REJECTED_SHARE
from agent.daemon.buffer.overflow import Overflow
from agent.daemon.buffer.quarantine import SHARE, Quarantine
from agent.daemon.buffer.reading import Ask
from agent.daemon.buffer.rescue import Rescue
from agent.errors import FieldpostError, UnavailableError

LOOK_S = 60.0  # between looks at what has expired
FILLED = 0.8  # of the pages in use: room has to be made, while there is room to make it in
ROOM = 0.75  # of the pages in use: enough was made
STEP = 200  # chunks looked at in one go
IN_VAIN = 20  # steps for a commit that has no room still: more than any commit takes
NEWEST = 1000  # samples that are not thinned: what is not a minute old yet


class NewStartError(Exception):
    """Only a new start leads to a good store."""


class Keeper:
    """Runs beside the commits, woken by them.

    Args:
        opening: how stores come to be here.
        flush: commits what there is; says whether it did.
    """

    def __init__(
        self,
        desk: Desk,
        opening: Opening,
        flush: Callable[[], Awaitable[bool]],
    ) -> None:
        self._desk = desk
        self._opening = opening
        self._when_full = opening.site.when_full
        self._flush = flush
        self._quarantine = Quarantine(opening.home)
        self._rescue = Rescue(desk, self._committed, opening.build.salvage)
        most_bytes = opening.site.buffer_bytes // REJECTED_SHARE
        self._overflow = Overflow(desk, most_bytes, flush)
        self._woken = asyncio.Event()
        self._full = False
        self._in_vain = 0
        desk.look = self._look

    async def run(self) -> None:
        """Until cancelled.

        Raises:
            NewStartError: only that helps.
        """
        await self.salvage()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._woken.wait()
            self._woken.clear()
            if self._desk.fault is not None:
                raise self._desk.fault
            if self._desk.hopeless:
                raise NewStartError(self._desk.broken)
            await self.look_after()

    @property
    def beside_bytes(self) -> int:
        """What lies beside the database."""
        return self._quarantine.used_bytes() + self._opening.frame.ballast_bytes

    @property
    def set_aside(self) -> str | None:
        """What lies in quarantine, one sentence."""
        count = len(self._quarantine.places())
        if not count:
            return None
        return f"{count} damaged store{'s' * (count > 1)} set aside in {self._quarantine.folder}"

    async def salvage(self) -> None:
        """Bring in what quarantined stores, and one in RAM, still hold."""
        if self._desk.exiled:
            return
        await self._bring_in(self._quarantine)
        for place in self._quarantine.beyond(self._opening.site.buffer_bytes // SHARE):
            if await self._rescue.give_up(place):
                self._quarantine.remove(place)
        exile = exile_of(self._opening.home)
        if exile is None:
            return
        await self._bring_in(Quarantine(exile))
        with suppress(OSError):  # whether it was closed, and so nothing of it is missing
            shutil.copy(exile / "witness", exile / "buffer" / "witness")
        if await self._rescue.bring_in(exile / "buffer"):
            shutil.rmtree(exile, ignore_errors=True)
            await self._desk.thread.run(RamNote(self._opening.home).erase)

    async def look_after(self) -> None:
        """One round: what has expired goes, and room is made where it is short."""
        await self._try_home()
        for box in self._desk.outboxes.values():
            await self._expire(box)
        with suppress(UnavailableError):
            await self._overflow.bound()
        if self._desk.broken and not self._desk.exiled:
            return  # what refuses to be written cannot be thinned or deleted either
        if self._over(FILLED) or self._full:
            self._full = False
            await self._make_room()

    async def _bring_in(self, quarantine: Quarantine) -> None:
        for place in quarantine.places():
            if await self._rescue.bring_in(place):
                quarantine.remove(place)

    async def _committed(self) -> bool:
        """Commit what there is; where the quota leaves no room for it, some is made."""
        if await self._flush():
            return True
        await self._make_room()
        return await self._flush()

    async def _try_home(self) -> None:
        """Whether the disk answers again; what is in RAM is brought in by the next start.

        Raises:
            NewStartError: it does.
        """
        if not self._desk.exiled:
            return
        now = self._desk.clock.now()
        with suppress(FieldpostError):
            store, _ = await self._opening.at_home(now)
            await self._desk.thread.run(store.close, now)
            message = "the disk takes samples again"
            raise NewStartError(message)
        await self._opening.note(self._desk.cursors, self._desk.stock.accepted)

    def _look(self, *, full: bool) -> None:
        self._full = self._full or full
        self._in_vain = self._in_vain if full else 0
        if full or self._desk.hopeless or self._desk.fault or self._over(FILLED):
            self._woken.set()

    def _over(self, share: float) -> bool:
        space = self._desk.space
        pages = EXILE.pages if self._desk.exiled else self._opening.frame.pages
        return space.used_bytes - space.free_bytes > share * pages * PAGE_BYTES

    async def _make_room(self) -> None:
        while self._in_vain < IN_VAIN and await self._step():
            self._in_vain = 0 if await self._flush() else self._in_vain + 1
            if not self._over(ROOM):
                break
        self._desk.refusing = self._when_full == "refuse-new" and self._over(ROOM)

    async def _step(self) -> bool:
        """Free a little, in the order of what hurts least; returns whether anything was found."""
        if self._desk.delete_settled():
            return True
        if unwanted := await self._unwanted():
            self._desk.give_up(unwanted, Loss.DROPPED)
            return True
        if self._when_full == "refuse-new":
            return False
        return (self._when_full == "thin" and await self._thin()) or await self._drop_oldest()

    async def _unwanted(self) -> list[Chunk]:
        """What only removed destinations still wait for."""
        boxes = self._desk.outboxes.values()
        if boxes and not self._desk.removed:
            return []
        return [
            chunk
            for chunk in await self._oldest(1, ordinary=False)
            if all(box.cursor.settled.covers(chunk.first, chunk.last) for box in boxes)
        ]

    async def _thin(self) -> bool:
        minutes, quarters = self._desk.thinned
        end = self._desk.stock.accepted.samples - NEWEST
        if run := await self._run(minutes + 1, end, THINNED):
            self._desk.thin(run, THINNED, (run[-1].last, quarters))
        elif run := await self._run(quarters + 1, minutes, THINNED_TWICE):
            self._desk.thin(run, THINNED_TWICE, (minutes, run[-1].last))
        return bool(run)

    async def _run(self, start: int, end: int, level: int) -> list[Chunk]:
        """The next ordinary chunks without another one between them, not thinned so far yet."""
        while start <= end:
            chunks = await self._oldest(start, ordinary=False)
            if not chunks:
                break
            for may, run in groupby(chunks, lambda chunk: self._may_thin(chunk, end, level)):
                if may:
                    return list(run)
            start = chunks[-1].last + 1
        return []

    def _may_thin(self, chunk: Chunk, end: int, level: int) -> bool:
        ordinary = chunk.lane is Kind.ORDINARY
        return ordinary and chunk.last <= end and chunk.thinned < level and not self._is_out(chunk)

    async def _drop_oldest(self) -> bool:
        """Ordinary chunks first, then urgent ones, and what may have arrived last of all."""
        for ordinary, out in ((True, False), (False, False), (False, True)):
            if chunks := await self._oldest(1, ordinary=ordinary, out=out):
                self._desk.give_up(chunks, Loss.DROPPED)
                return True
        return False

    async def _oldest(self, number: int, *, ordinary: bool, out: bool = True) -> list[Chunk]:
        """So many of the oldest from a number on; what a commit is to take away already is not.

        Args:
            number: where to begin.
            ordinary: without alarms.
            out: with what is on its way to somebody.
        """
        chunks: list[Chunk] = []
        while not chunks and (store := self._desk.store):
            found = await self._desk.thread.run(store.oldest, number, STEP, ordinary)
            if found.damaged:
                self._desk.damaged(found.damaged)
            if not found.chunks:
                break
            staying = self._desk.stock.staying(found.chunks)
            chunks = [chunk for chunk in staying if out or not self._is_out(chunk)]
            number = found.chunks[-1].last + 1
        return chunks

    def _is_out(self, chunk: Chunk) -> bool:
        boxes = self._desk.outboxes.values()
        return any(box.has_out(chunk.first, chunk.last) for box in boxes)

    async def _expire(self, box: Outbox) -> None:
        """Give up what one destination has kept for long enough; no wall clock is asked."""
        stock, start = self._desk.stock, 1
        if box.keep_ns is None or not box.waiting().samples:
            return
        oldest_ns = stock.running_ns() - box.keep_ns
        while True:
            ask = Ask(box.cursor.settled.copy(), start, stock.accepted.samples, STEP, STEP)
            chunks = stock.staying((await self._desk.read(ask)).chunks)
            expired = [c for c in chunks if stock.running_at(c.era, c.last_us) < oldest_ns]
            if not expired:
                return
            start = expired[-1].last + 1
            # what is on its way may have arrived
            staying = [c for c in expired if not box.has_out(c.first, c.last)]
            self._desk.expire(box.cursor, staying)
