"""What the store holds, read for people: beside the lanes, a page at a time, without moving it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from agent.cloud import Record
from agent.daemon.buffer import shown
from agent.daemon.buffer.database import Database
from agent.daemon.buffer.desk import Desk
from agent.daemon.buffer.eras import QUALITY
from agent.daemon.buffer.model import Chunk, Count, Cursor, LossEntry
from agent.daemon.buffer.ranges import Settled, common
from agent.daemon.buffer.reading import Ask, Found
from agent.daemon.buffer.shown import Held, LostLine, SetAside
from agent.errors import NotFoundError, UnavailableError

PAGE = 500  # rows or records read in one go, so that commits and lanes come in between
PAGE_READINGS = 5000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one destination has not answered for.

    Attributes:
        bytes: on the card, about.
        oldest_ms: when the oldest was taken; None when nothing waits.
    """

    configured: bool
    count: Count
    bytes: int
    oldest_ms: int | None


class Views:
    """Reads what is on the card.

    Args:
        flush: commits what there is; says whether it did.
    """

    def __init__(self, desk: Desk, flush: Callable[[], Awaitable[bool]]) -> None:
        self._desk = desk
        self._flush = flush

    async def settle(self) -> bool:
        """Have everything that was answered so far on the card, where the views look.

        Returns:
            Whether it is; False: the quota leaves no room.
        """
        self._desk.save_cursors()
        return await self._flush()

    async def backlogs(self) -> Mapping[str, Backlog]:
        """What waits, by destination; those that are not configured any more come last."""
        return {cursor.name: await self._backlog(cursor) for cursor in self._desk.cursors}

    async def held(self) -> Mapping[str, Held]:
        """How much is set aside, by destination."""
        return await self._ask(shown.held)

    async def lost(self) -> Sequence[LostLine]:
        """The ledger in sums: one line for each destination and reason."""
        return await self._ask(shown.lost)

    async def newest(self, destination: str, limit: int, skip: int) -> Sequence[SetAside]:
        """The newest set-aside samples of a destination, or of all when none is named."""
        return await self._ask(
            partial(shown.newest, destination=destination, limit=limit, skip=skip)
        )

    async def returning(self, destination: str, limit: int) -> Sequence[SetAside]:
        """The next of what is to go out again."""
        return await self._ask(partial(shown.returning, destination=destination, limit=limit))

    async def mark(self, destination: str, names: Sequence[tuple[str, int]] | None) -> Count:
        """Let set-aside samples go out again; those named, or the next few hundred."""
        return await self._ask(partial(shown.mark, destination=destination, names=names))

    async def untold(self, deaf: Sequence[str], limit: int) -> Sequence[tuple[int, LossEntry]]:
        """Lines of the ledger that were not told as they are now, but those of the deaf."""
        return await self._ask(partial(shown.untold, deaf=deaf, limit=limit))

    async def told(self, lines: Sequence[tuple[int, LossEntry]]) -> None:
        """Note that they were told."""
        await self._ask(partial(shown.told, lines=lines))

    async def set_aside(self, destination: str) -> AsyncGenerator[SetAside, None]:
        """Everything a destination refused that is still there."""
        after = -(1 << 62)
        while rows := await self._ask(
            partial(shown.page, destination=destination, after=after, limit=PAGE)
        ):
            for row in rows:
                yield row
            after = rows[-1].id

    async def oldest_set_aside(self, destination: str, limit: int) -> list[SetAside]:
        """The oldest of what a destination refused, but not what is to go out again."""
        return await self._ask(partial(shown.page, destination=destination, after=0, limit=limit))

    async def waiting(self, destination: str | None) -> AsyncGenerator[Record, None]:
        """What a destination, or any of them, has not answered for, oldest first.

        What is committed after the first one was asked for is not among them.

        Raises:
            NotFoundError: the store knows no such destination.
            UnavailableError: the disk does not answer.
        """
        settled, end = self._settled(destination), self._desk.stock.accepted.samples
        start = settled.next_missing(1)
        while start <= end:
            found = await self._desk.read(Ask(settled, start, end, PAGE, PAGE_READINGS))
            if found.incomplete and not found.chunks:
                message = "The disk does not answer; what it holds cannot be read now."
                raise UnavailableError(message, action="fieldpost doctor")
            for chunk in found.chunks:
                for record in self._records(chunk, settled):
                    yield record
            start = _next(found, end)

    async def oldest_ms(self, cursor: Cursor) -> int:
        """When the oldest of what a cursor waits for was taken; 0 when nobody knows."""
        settled, end = cursor.settled.copy(), self._desk.stock.accepted.samples
        found = await self._desk.read(Ask(settled, settled.next_missing(1), end, 1, 1))
        records = (record for chunk in found.chunks for record in self._records(chunk, settled))
        first = next(records, None)
        return first.time_ns // 1_000_000 if first else 0

    async def _ask(self, question: Callable[[Database], T]) -> T:
        store = self._desk.store
        if store is None:
            message = "The store is not open."
            raise UnavailableError(message)
        return await self._desk.thread.run(store.consult, question)

    async def _backlog(self, cursor: Cursor) -> Backlog:
        stock = self._desk.stock
        count = cursor.waiting(stock.accepted)
        oldest_ms = await self.oldest_ms(cursor) if count.samples else 0
        size = int(count.readings * stock.bytes_per_reading)
        return Backlog(cursor.configured, count, size, oldest_ms or None)

    def _settled(self, destination: str | None) -> Settled:
        cursors = {cursor.name: cursor for cursor in self._desk.cursors}
        if destination is None:
            return Settled.of(0, common(cursor.settled for cursor in cursors.values()))
        if destination not in cursors:
            message = f"There is no destination '{destination}'."
            raise NotFoundError(message, action="fieldpost queue shows all of them")
        return cursors[destination].settled.copy()

    def _records(self, chunk: Chunk, settled: Settled) -> list[Record]:
        stock = self._desk.stock
        era = stock.eras.get(chunk.era)
        records = []
        for number, device, us, values in chunk.entries:
            anchor = era.anchor(number, trusted_only=False) if era else None
            if anchor is not None and number not in settled:
                life = stock.lives.of(number)
                time_ns = us * 1000 + anchor.offset_ns
                quality = QUALITY[anchor.source]
                seq = number - life.shift
                records.append(Record(life.epoch, seq, device, time_ns, values, quality))
        return records


def _next(found: Found, end: int) -> int:
    """Where to go on; a damaged chunk is stepped over, the lanes will count it."""
    last = [chunk.last for chunk in found.chunks]
    last += [end if damage.last is None else damage.last for damage in found.damaged]
    return max(last, default=end) + 1
