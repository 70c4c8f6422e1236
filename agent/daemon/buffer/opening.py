"""Starting is never refused because of data: whatever lies there, a store comes of it."""

import errno
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent import logging
from agent.daemon.buffer.ballast import BALLAST_BYTES, Ballast
from agent.daemon.buffer.database import PAGE_BYTES, Frame, Newer, Outdated, Unusable
from agent.daemon.buffer.lock import holder
from agent.daemon.buffer.maker import make_store
from agent.daemon.buffer.model import Count, Cursor, Opened
from agent.daemon.buffer.noting import RamNote, exile_of
from agent.daemon.buffer.quarantine import Quarantine
from agent.daemon.buffer.rescue import Salvage, salvaged
from agent.daemon.buffer.store import ATTEMPTS, Store
from agent.daemon.buffer.thread import StoreThread
from agent.daemon.buffer.trouble import Trouble, kind_of, said
from agent.daemon.buffer.witness import hardware_id
from agent.errors import FieldpostError
from agent.plan import Site
from agent.sample import Instant

log = logging.get("buffer")

SHARE = 8  # ballast and write-ahead log take at most so much of a small quota
WAL_BYTES = 8 << 20  # a checkpoint leaves 4 MB of it; a large commit needs more
PAGES_MIN = 64
EXILE = Frame(pages=4096, window_ms=5000, ballast_bytes=0, hardware=bytes(8))  # 16 MB of RAM
SET_ASIDE = {Trouble.DAMAGED, Trouble.UNREADABLE}
PASSING = {Trouble.BROKEN, *SET_ASIDE}  # a page that could not be read once looks damaged, too
BESIDE = "beside"  # where we work while a newer version's store waits untouched


class NoStoreError(FieldpostError):
    """There is no way to have a store here at the moment."""


class FullError(NoStoreError):
    """The file system of the store is full."""


@dataclass(frozen=True, slots=True)
class Build:
    """How stores are made and written; other builds are there to prove that tests can fail.

    Attributes:
        make: makes or migrates the store in a folder.
        frame: instead of what follows from the site.
        salvage: reads what can be read of a quarantined store.
        thread: where the store's work is done; simulations have it done in their own time.
    """

    make: Callable[[Path], Awaitable[None]] = make_store
    frame: Frame | None = None
    store: Callable[[Path, Frame], Store] = Store
    thread: Callable[[], StoreThread] = StoreThread
    salvage: Salvage = salvaged


SOUND = Build()


@dataclass(slots=True)
class Opening:
    """One attempt to get at a store.

    Attributes:
        home: the folder of lock, witness and `buffer/`.
        site: quota and loss window.
        names: of the configured destinations.
    """

    home: Path
    site: Site
    names: Sequence[str]
    thread: StoreThread
    build: Build

    @property
    def frame(self) -> Frame:
        """What the store may use."""
        return self.build.frame or frame_of(self.site)

    async def open(self, now: Instant) -> tuple[Store, Opened]:
        """A store that is open; where the disk gives none, one in RAM until it does.

        Raises:
            FieldpostError: not even RAM can hold one.
        """
        try:
            return await self.at_home(now)
        except FieldpostError as error:
            refused = error
        if isinstance(refused, FullError) and Ballast(self.home / "ballast").drop():
            return await self.open(now)
        exile = exile_of(self.home)
        if exile is None:
            raise refused
        log.error(
            "There is no store on the disk; samples are kept in RAM.",
            event_type="store.broken",
            error=refused.message,
        )
        in_ram = replace(self, home=exile, build=replace(self.build, frame=EXILE))
        store, opened = await in_ram.at_home(now)
        await self.note(opened.cursors, opened.accepted)
        opened.broken = refused.message
        return store, opened

    async def note(self, cursors: Sequence[Cursor], accepted: Count) -> None:
        """Note at home how much is in RAM only, where the disk takes that at least."""
        waiting = [cursor.waiting(accepted) for cursor in cursors]
        most = max(waiting, key=lambda count: count.readings, default=Count())
        await self.thread.run(RamNote(self.home).write, most)

    async def at_home(self, now: Instant) -> tuple[Store, Opened]:
        """A store on the disk; damaged ones are in quarantine, a newer one waits untouched.

        Raises:
            FieldpostError: the disk takes nothing, or another program holds the store.
        """
        store = self._store(self.home)
        try:
            opened = await self._insisted(store, now)
        except Newer as error:
            return await self._beside(now, error)
        except FieldpostError as error:
            if not Quarantine(self.home).misplaced:
                raise
            reason = error.message
        except (Unusable, OSError, sqlite3.Error) as error:
            reason = self._verdict(error)
        else:
            self._together(opened)
            return store, opened
        return await self._anew(now, reason)

    def _verdict(self, error: Unusable | OSError | sqlite3.Error) -> str:
        """Why the store has to be put aside.

        Raises:
            NoStoreError: that would not help.
        """
        if isinstance(error, Unusable):
            return str(error)
        if isinstance(error, sqlite3.Error) and kind_of(error) in SET_ASIDE:
            return said(error)
        raise _unavailable(self.home, error) from error

    async def _anew(self, now: Instant, reason: str) -> tuple[Store, Opened]:
        self._put_aside(reason)
        store = self._store(self.home)
        try:
            opened = await self._made(store, self.home, now)
        except (sqlite3.Error, OSError, Newer, Unusable) as error:
            message = f"a new store in {self.home} does not work either: {error}"
            raise NoStoreError(message) from error
        opened.news.append(f"A damaged store was set aside, what can be read comes back: {reason}.")
        return store, opened

    def _store(self, home: Path) -> Store:
        return self.build.store(home, self.frame)

    async def _insisted(self, store: Store, now: Instant) -> Opened:
        """Opened; an error of the disk that does not come again is none."""
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._made(store, self.home, now)
            except sqlite3.Error as error:
                if kind_of(error) not in PASSING:
                    raise
        return await self._made(store, self.home, now)

    async def _made(self, store: Store, home: Path, now: Instant) -> Opened:
        try:
            opened = await self.thread.run(store.open, now, self.names)
        except Outdated:
            await self.build.make(home)
            opened = await self.thread.run(store.open, now, self.names)
        self.thread.keeps = store
        return opened

    async def _beside(self, now: Instant, newer: Newer) -> tuple[Store, Opened]:
        home = self.home / BESIDE
        home.mkdir(mode=0o750, exist_ok=True)
        store, opened = await replace(self, home=home).at_home(now)
        opened.news.append(
            f"The store was written by a newer version (format {newer}) and is left as it is."
        )
        return store, opened

    def _together(self, opened: Opened) -> None:
        """What was collected beside a store we could not read then belongs to it again."""
        try:
            if Quarantine(self.home).take_over(self.home / BESIDE):
                opened.news.append("What was collected beside a newer store is brought in.")
        except OSError as error:
            opened.news.append(f"What was collected beside the store cannot be moved: {error}.")

    def _put_aside(self, reason: str) -> None:
        try:
            place = Quarantine(self.home).put_aside()
        except OSError as error:
            message = f"the store in {self.home} is unusable and cannot be moved: {error}"
            raise NoStoreError(message) from error
        log.error(
            "A damaged store was set aside; a new one takes its place.",
            event_type="store.quarantined",
            reason=reason,
            place=str(place),
        )


def _unavailable(home: Path, error: OSError | sqlite3.Error) -> NoStoreError:
    kind = kind_of(error) if isinstance(error, sqlite3.Error) else None
    if kind is Trouble.FULL or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
        return FullError("the file system of the store is full")
    if kind is Trouble.BUSY:
        return NoStoreError(f"{holder(home / 'buffer' / 'buffer.db')} holds the store open")
    return NoStoreError(f"the disk of the store in {home} answers: {error}")


def frame_of(site: Site) -> Frame:
    """What a store of this quota may use."""
    quota = site.buffer_bytes
    ballast = min(BALLAST_BYTES, quota // SHARE)
    pages = (quota - ballast - min(WAL_BYTES, quota // SHARE)) // PAGE_BYTES
    return Frame(
        pages=max(PAGES_MIN, pages),
        window_ms=max(1000, int(site.may_lose_s * 1000)),
        ballast_bytes=ballast,
        hardware=hardware_id(),
    )
