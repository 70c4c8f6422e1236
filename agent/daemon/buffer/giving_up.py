"""The loss ledger: what is given up is counted for everyone who still waited for it."""

from collections.abc import Iterable
from dataclasses import replace

from agent.daemon.buffer.codec import Entry
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.model import Chunk, Count, Cursor, LossEntry
from agent.daemon.buffer.stock import Stock


def give_up(stock: Stock, cursor: Cursor, chunk: Chunk, reason: Loss) -> LossEntry | None:
    """Settle a whole chunk as lost for one destination; None when it waited for none of it."""
    settled = cursor.settled
    gone = [entry for entry in chunk.entries if entry[0] not in settled]
    settled.add(chunk.first, chunk.last)
    if not gone:
        return None
    loss = entry_of(stock, cursor.name, replace(chunk, entries=gone), reason)
    cursor.lost += loss.count
    return loss


def counted(entries: Iterable[Entry]) -> Count:
    """How many samples and readings these are."""
    sizes = [len(values) for _, _, _, values in entries]
    return Count(len(sizes), sum(sizes))


def entry_of(stock: Stock, destination: str, gone: Chunk, reason: Loss) -> LossEntry:
    """A line of the ledger for all samples of a chunk."""
    first, last = gone.entries[0], gone.entries[-1]
    return LossEntry(
        destination=destination,
        epoch=stock.lives.of(first[0]).epoch,
        first=first[0],
        last=last[0],
        count=counted(gone.entries),
        from_ms=(stock.wall_ns(first[0], gone.era, first[2]) or 0) // 1_000_000,
        to_ms=(stock.wall_ns(last[0], gone.era, last[2]) or 0) // 1_000_000,
        reason=reason,
    )
