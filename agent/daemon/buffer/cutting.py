"""How accepted samples become chunks: in order, a chunk per era, an urgent sample alone."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from agent.daemon.buffer.codec import Entry
from agent.daemon.buffer.eras import Eras
from agent.daemon.buffer.model import Chunk, Count, Kind
from agent.sample import Sample, Value

CHUNK_READINGS = 500
CHUNK_BYTES = 32_768
SAMPLE_BYTES = 40  # about what number, time and device take in RAM and as text
VALUE_BYTES = 16


@dataclass(slots=True)
class _Open:
    lane: Kind
    era: int
    entries: list[Entry] = field(default_factory=list)
    readings: int = 0
    bytes: int = 0


def size_of(values: Collection[Value]) -> int:
    """About how many bytes a sample takes before it is packed."""
    size = SAMPLE_BYTES + VALUE_BYTES * len(values)
    if str in set(map(type, values)):
        size += sum(len(value) for value in values if isinstance(value, str))
    return size


def after(chunks: Sequence[Chunk], accepted: Count) -> Count:
    """What is accepted once these chunks are."""
    return Count(chunks[-1].last, chunks[-1].total) if chunks else accepted


def cut(samples: Sequence[Sample], accepted: Count, eras: Eras, handed: int) -> list[Chunk]:
    """Number the samples from `accepted.samples` + 1 on and cut them into chunks."""
    chunks: list[Chunk] = []
    total = accepted.readings
    for part in _parts(samples, accepted.samples + 1, eras, handed):
        total += part.readings
        first, last = part.entries[0][0], part.entries[-1][0]
        chunks.append(Chunk(first, last, part.readings, total, part.lane, part.era, part.entries))
    return chunks


def _parts(samples: Sequence[Sample], number: int, eras: Eras, handed: int) -> Iterator[_Open]:
    part: _Open | None = None
    for sample in samples:
        at = sample.at
        era = eras.of(at, handed).id
        lane = Kind.URGENT if sample.urgent else Kind.ORDINARY
        if part is not None and not _fits(part, lane, era):
            yield part
            part = None
        if part is None:
            part = _Open(lane, era)
        part.entries.append((number, sample.device, at.mono_ns // 1000, sample.values))
        part.readings += len(sample.values)
        part.bytes += size_of(sample.values.values())
        number += 1
    if part is not None:
        yield part


def _fits(part: _Open, lane: Kind, era: int) -> bool:
    return (
        part.lane is lane is Kind.ORDINARY
        and part.era == era
        and part.readings < CHUNK_READINGS
        and part.bytes < CHUNK_BYTES
    )
