"""Bring what was salvaged into the store: under its old names, to whom it was still owed.

A block of numbers is set aside for the whole quarantined store, settled for everybody. Chunk after
chunk is then put into the block and owed again to those who had not settled it. Progress is noted
in the transaction that makes it, so a cut repeats nothing and loses nothing.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from agent import logging
from agent.daemon.buffer import rows
from agent.daemon.buffer.desk import Desk
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.giving_up import counted, unnumbered
from agent.daemon.buffer.model import Chunk, Count, Cursor, Kind, LossEntry
from agent.daemon.buffer.orders import Progress, Rescued, Wreckage
from agent.daemon.buffer.quarantine import size_of
from agent.daemon.buffer.ranges import Range, Settled, runs
from agent.daemon.buffer.stock import READING_BYTES
from agent.daemon.buffer.store import SILENT, Store
from agent.daemon.buffer.witness import Witness, WitnessFile
from agent.daemon.buffer.wreck import Old
from agent.daemon.programs import program
from agent.errors import UnavailableError
from agent.plan import Json

log = logging.get("buffer")

BATCH = 200  # chunks a commit brings in
ATTEMPTS = 3  # of a child that something ends, memory for one
PAUSE_S = 0.02  # between commits, so that samples and lanes come first
WAIT_S = 1.0  # between looks whether a disk that refuses takes something again
LINE_BYTES = 64 << 20

Salvage = Callable[[Path, int], AsyncIterator[Json]]


async def salvaged(place: Path, after: int) -> AsyncIterator[Json]:
    """The lines of the salvage child."""
    child = await asyncio.create_subprocess_exec(
        *program("agent.daemon.buffer.salvage", str(place), str(after)),
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
    )
    try:
        if child.stdout is not None:
            async for line in child.stdout:
                yield json.loads(line)
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
        await child.wait()


class Rescue:
    """Brings in one quarantined store after the other."""

    def __init__(self, desk: Desk, flush: Callable[[], Awaitable[bool]], salvage: Salvage) -> None:
        self._desk = desk
        self._flush = flush
        self._salvage = salvage

    async def bring_in(self, place: Path) -> bool:
        """Everything that can be read of it; returns whether it is no longer needed."""
        if not (place / "buffer.db").exists():
            return False
        try:
            for _ in range(ATTEMPTS):
                if await self._attempt(place, await self._progress(place)):
                    await self._taking()  # until then some of it may be in RAM only
                    return True
        except UnavailableError:
            return False  # only a new start helps this store, and goes on with that one
        log.error(
            "A damaged store cannot be salvaged now; it is kept for the next start.",
            event_type="store.salvage_failed",
            place=str(place),
        )
        return False

    async def give_up(self, place: Path) -> bool:
        """It has to make room though it was not salvaged: the ledger has what that costs at most.

        Returns:
            Whether it is there, and the store may go.
        """
        most = _held(place)
        try:
            progress = await self._progress(place)
            for cursor in self._desk.cursors:
                brought = progress.brought.get(cursor.name, Count()) if progress else Count()
                self._lose(cursor, most - brought, Loss.CORRUPTION, exact=False)
            if progress is not None:
                self._desk.bring_in([], replace(progress, done=True))
            await self._committed()
        except UnavailableError:
            return False
        log.error(
            "A damaged store that could not be salvaged is given up: there is no room for it.",
            event_type="store.given_up",
            place=str(place),
            readings=most.readings,
        )
        return self._desk.broken is None

    async def _attempt(self, place: Path, progress: Progress | None) -> bool:
        """Go on from where the last one came to; False: the child ended before the store did."""
        old, batch, ended = Old(), list[Rescued](), False
        async for line in self._salvage(place, progress.through if progress else 0):
            ended = line["kind"] == "end"
            if line["kind"] == "head":
                old = Old.of(line, WitnessFile(place / "witness").read())
                self._remember(old.unfinished)
                if progress is not None and self._of_another(progress, old):
                    await self._commit([], replace(progress, done=True))
                    return False
                progress = progress or await self._reserved(place, old)
            elif line["kind"] == "chunk" and progress is not None:
                batch.append(_rescued(line, old, progress, self._desk.cursors))
                progress = _further(progress, batch[-1], line["last"])
            if progress is not None and len(batch) >= BATCH:
                await self._commit(batch, progress)
                batch = []
        if ended:
            await self._finish(place, old, batch, progress)
        elif progress is not None:
            await self._commit(batch, progress)
        return ended

    def _remember(self, names: set[str]) -> None:
        """Somebody may still want what is salvaged for destinations that are not configured."""
        accepted = self._desk.stock.accepted
        for name in sorted(names - {cursor.name for cursor in self._desk.cursors}):
            settled = Settled(accepted.samples)
            self._desk.removed.append(Cursor(name, settled, accepted, configured=False))

    async def _reserved(self, place: Path, old: Old) -> Progress | None:
        if not old.last:
            return None
        wreckage, reserved = Wreckage(place.name, old.last, old.lives, old.eras), None
        while reserved is None:  # of an attempt that may have failed nothing is left
            await self._taking()
            self._desk.reserve(wreckage)
            await self._committed()
            reserved = self._desk.reserved
            await asyncio.sleep(PAUSE_S)
        return reserved

    async def _progress(self, place: Path) -> Progress | None:
        """How far an earlier attempt came.

        Raises:
            UnavailableError: only a new start helps.
        """
        while True:
            store = await self._taking()
            with suppress(UnavailableError):
                return await self._desk.thread.run(
                    store.consult, lambda db: rows.progress(db, place.name)
                )
            await asyncio.sleep(WAIT_S)

    async def _taking(self) -> Store:
        """The store, once the disk takes something.

        Raises:
            UnavailableError: only a new start helps.
        """
        while (store := self._desk.store) and not self._desk.fault:
            if not self._desk.broken:
                return store
            if self._desk.hopeless:
                break
            await asyncio.sleep(WAIT_S)
        raise UnavailableError(SILENT)

    def _of_another(self, progress: Progress, old: Old) -> bool:
        """Whether the block is that of a store which lay here under this name before."""
        epoch = self._desk.stock.lives.of(progress.first).epoch
        return bool(old.lives) and all(life.epoch != epoch for life in old.lives)

    async def _commit(self, batch: list[Rescued], progress: Progress) -> None:
        await self._taking()
        self._desk.bring_in(batch, progress)
        await self._committed()
        await asyncio.sleep(PAUSE_S)

    async def _committed(self) -> None:
        """Return when what was brought in is on the card; while there is no room, it is not.

        Raises:
            UnavailableError: only a new start helps.
        """
        while not await self._flush():
            await self._taking()
            await asyncio.sleep(WAIT_S)

    async def _finish(
        self, place: Path, old: Old, batch: list[Rescued], progress: Progress | None
    ) -> None:
        await self._taking()
        brought = progress.brought if progress else {}
        witness = WitnessFile(place / "witness").read()
        for cursor in self._desk.cursors:
            count, exact = _missing(witness, old, cursor, brought)
            self._lose(cursor, count, Loss.CORRUPTION, exact=exact)
            if witness is not None and not witness.clean:
                self._lose(cursor, Count(0, old.fullest), Loss.UNCLEAN_STOP, exact=False)
        if progress is not None:
            self._desk.enter([_moved(loss, progress.first - 1) for loss in old.losses])
            self._desk.keep_refused(old.rejected)
            self._desk.bring_in(batch, replace(progress, done=True))
        await self._committed()
        log.warning(
            "A damaged store was salvaged.",
            event_type="store.salvaged",
            place=str(place),
            readings=max((count.readings for count in brought.values()), default=0),
        )

    def _lose(self, cursor: Cursor, count: Count, reason: Loss, *, exact: bool) -> None:
        if count.readings > 0 or count.samples > 0:
            now_ms = self._desk.clock.now().wall_ns // 1_000_000
            loss = unnumbered(self._desk.stock, cursor.name, count, (0, now_ms))
            self._desk.enter([replace(loss, reason=reason, exact=exact)])


def _moved(loss: LossEntry, up: int) -> LossEntry:
    return replace(loss, first=loss.first + up, last=loss.last + up)


def _rescued(line: Json, old: Old, block: Progress, cursors: list[Cursor]) -> Rescued:
    up = block.first - 1
    entries = [(up + n, device, us, values) for n, device, us, values in line["entries"]]
    lane = Kind.URGENT if line["lane"] == Kind.URGENT else Kind.RESCUED
    chunk = Chunk(
        first=up + line["first"],
        last=up + line["last"],
        readings=sum(len(values) for _, _, _, values in entries),
        total=0,
        lane=lane,
        era=block.eras[line["era"]],
        entries=entries,
        thinned=line["thinned"],
    )
    owed: dict[str, list[Range]] = {}
    counts: dict[str, Count] = {}
    for cursor in cursors:
        settled = old.settled.get(cursor.name)
        if settled is None and old.settled and cursor.name not in old.unplaced:
            continue  # it was not there yet
        due = [e for e in entries if settled is None or e[0] - up not in settled]
        owed[cursor.name] = list(runs(e[0] for e in due))
        counts[cursor.name] = counted(due)
    return Rescued(chunk, owed, counts)


def _held(place: Path) -> Count:
    """What a store that nobody can read held for a destination at most."""
    if not (place / "buffer.db").is_file():
        return Count()
    witness = WitnessFile(place / "witness").read()
    if witness is None:
        return Count(0, int(size_of(place) / READING_BYTES))
    waited = witness.readings if witness.held is None else min(witness.held, witness.readings)
    readings = waited + (0 if witness.clean else witness.soon)
    return Count(min(witness.next - 1, readings), readings)


def _further(progress: Progress, rescued: Rescued, last: int) -> Progress:
    brought = dict(progress.brought)
    for name, count in rescued.counts.items():
        brought[name] = brought.get(name, Count()) + count
    return replace(progress, through=last, brought=brought)


def _missing(
    witness: Witness | None, old: Old, cursor: Cursor, brought: Mapping[str, Count]
) -> tuple[Count, bool]:
    """What a destination was owed and does not get: exactly, or at most."""
    got = brought.get(cursor.name, Count())
    if cursor.name in old.owed:
        return old.owed[cursor.name] - got, True
    if old.owed or witness is None:
        return Count(), True
    most = Count(witness.next - 1, witness.readings) - got
    return Count(max(0, most.samples), max(0, most.readings)), False
