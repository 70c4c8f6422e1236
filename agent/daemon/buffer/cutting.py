"""How accepted samples become chunks: in order, a chunk per era, an urgent sample alone."""

from collections.abc import Collection, Iterator, Sequence

from agent.daemon.buffer.eras import Eras
from agent.daemon.buffer.model import Chunk, Count, Kind
from agent.sample import Sample, Value

CHUNK_READINGS = 500
CHUNK_BYTES = 32_768
SAMPLE_BYTES = 40  # about what number, time and device take in RAM and as text
VALUE_BYTES = 16


def size_of(values: Collection[Value]) -> int:
    """About how many bytes a sample takes before it is packed."""
    size = SAMPLE_BYTES + VALUE_BYTES * len(values)
    for value in values:
        if type(value) is str:
            size += len(value)
    return size


def after(chunks: Sequence[Chunk], accepted: Count) -> Count:
    """What is accepted once these chunks are."""
    return Count(chunks[-1].last, chunks[-1].total) if chunks else accepted


def cut(samples: Sequence[Sample], accepted: Count, eras: Eras, handed: int) -> list[Chunk]:
    """Number the samples from `accepted.samples` + 1 on and cut them into chunks."""
    chunks: list[Chunk] = []
    number, total = accepted.samples, accepted.readings
    for lane, era, part in _parts(samples, eras, handed):
        entries = [
            (place, sample.device, sample.at.mono_ns // 1000, sample.values)
            for place, sample in enumerate(part, number + 1)
        ]
        readings = sum([len(sample.values) for sample in part])
        number, total = number + len(part), total + readings
        chunks.append(Chunk(entries[0][0], number, readings, total, lane, era, entries))
    return chunks


def _parts(
    samples: Sequence[Sample], eras: Eras, handed: int
) -> Iterator[tuple[Kind, int, Sequence[Sample]]]:
    """What belongs into one chunk: an urgent sample alone, others of an era until it is full."""
    first = readings = size = 0
    current = 0
    for place, sample in enumerate(samples):
        era = eras.of(sample.at, handed).id
        full = readings >= CHUNK_READINGS or size >= CHUNK_BYTES
        if first < place and (full or sample.urgent or era != current):
            yield Kind.ORDINARY, current, samples[first:place]
            first, readings, size = place, 0, 0
        if sample.urgent:
            yield Kind.URGENT, era, (sample,)
            first = place + 1
            continue
        current = era
        readings += len(sample.values)
        size += size_of(sample.values.values())
    if first < len(samples):
        yield Kind.ORDINARY, current, samples[first:]
