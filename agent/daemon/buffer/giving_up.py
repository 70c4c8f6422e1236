"""The loss ledger: what is given up is counted for everyone who still waited for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from agent.daemon.buffer.codec import Entry
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.model import Chunk, Count, Cursor, LossEntry
from agent.daemon.buffer.ranges import Range
from agent.daemon.buffer.reading import Damage
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


def thin_out(
    stock: Stock, cursor: Cursor, chunks: Sequence[Chunk], kept: Mapping[int, int]
) -> LossEntry | None:
    """Count what thinning takes from one destination; its numbers are simply not there any more.

    `kept` is how many readings stay, by number.
    """
    settled = cursor.settled
    count, gone = Count(), []
    for chunk in chunks:
        for entry in chunk.entries:
            left = kept.get(entry[0], 0)
            if entry[0] not in settled and left < len(entry[3]):
                count += Count(int(not left), len(entry[3]) - left)
                gone.append(entry)
    if not gone:
        return None
    cursor.lost += count
    taken = replace(chunks[0], entries=gone)
    return replace(entry_of(stock, cursor.name, taken, Loss.THINNED), count=count)


def give_up_damaged(stock: Stock, cursor: Cursor, damage: Damage, last: int) -> LossEntry | None:
    """Settle a chunk that nobody can read; what it held is counted low where nobody knows.

    What is still counted when nothing is left is entered then.
    """
    first = damage.first
    unsettled = sum(1 for number in range(first, last + 1) if number not in cursor.settled)
    most = _most_readings(stock, cursor, damage, whole=unsettled == last - first + 1)
    cursor.settled.add(first, last)
    if not unsettled:
        return None
    waiting = cursor.waiting(stock.accepted)
    samples = min(unsettled, _number(damage.samples, unsettled), waiting.samples)
    others = waiting.samples - samples  # each has one reading at least
    readings = min(max(samples, most), waiting.readings - others)
    count = Count(samples, max(0, readings))
    cursor.lost += count
    return _untimed(stock, cursor.name, (first, last), count)


def _most_readings(stock: Stock, cursor: Cursor, damage: Damage, *, whole: bool) -> int:
    """What a damaged chunk held, as far as it and its neighbours can be believed."""
    if not whole:  # of a part nobody knows more than that each sample had one
        return 0
    said, before, through = _number(damage.readings, 0), damage.before, damage.through
    if before is None and cursor.settled.last < damage.first:
        before = cursor.answered.readings
    if through is None and damage.last is None:
        through = stock.accepted.readings
    if before is None or through is None:
        return said
    return min(said, max(0, through - before))


def _number(said: object, otherwise: int) -> int:
    return said if isinstance(said, int) and said > 0 else otherwise


def missing(stock: Stock, cursor: Cursor) -> LossEntry | None:
    """What a cursor still counts although nothing is left; never less than nothing."""
    last, count = stock.accepted.samples, cursor.waiting(stock.accepted)
    nothing = count == Count() or min(count.samples, count.readings) < 0
    if nothing or cursor.settled.through < last:
        return None
    cursor.lost += count
    return _untimed(stock, cursor.name, (last, last), count)


def unnumbered(stock: Stock, destination: str, count: Count, span_ms: tuple[int, int]) -> LossEntry:
    """Samples that were refused before they got a number."""
    number = stock.accepted.samples + 1
    return LossEntry(
        destination=destination,
        epoch=stock.epoch,
        first=number,
        last=number,
        count=count,
        from_ms=span_ms[0],
        to_ms=span_ms[1],
        reason=Loss.REFUSED_NEW,
    )


def _untimed(stock: Stock, destination: str, numbers: Range, count: Count) -> LossEntry:
    return LossEntry(
        destination=destination,
        epoch=stock.lives.of(numbers[0]).epoch,
        first=numbers[0],
        last=numbers[1],
        count=count,
        from_ms=0,
        to_ms=stock.clock.now().wall_ns // 1_000_000,
        reason=Loss.CORRUPTION,
        exact=False,
    )


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
