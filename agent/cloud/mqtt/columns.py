"""Records as MQTT payloads: column by column, or sample by sample. The README is the contract.

Invariants: a message holds records of one epoch only; `<gateway>:<epoch>:<seq>` names each of them
for ever; values stand in the order of points, and within a point in the order of samples; no
number in a message but a value lies between 2**31 and 2**32.
"""

import gzip
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import orjson

from agent.clock import iso
from agent.cloud import Record, TimeQuality
from agent.plan import Json

VERSION = 1
NANOSECONDS_PER_MS = 1_000_000
GZIP_LEVEL = 6  # a fifth fewer bytes than level 1, for 0.1 µs more per reading
HEADER = 64  # bytes of a PUBLISH around topic and payload, at most
WORTH_PACKING = 200  # bytes: below, gzip's own frame eats what it saves

Shape = tuple[str, ...]  # the points of one sample, in order


@dataclass(frozen=True, slots=True)
class Message:
    """One PUBLISH.

    Attributes:
        indices: which records of the batch are in it.
        shapes: announcements a reader needs before it.
    """

    topic: str
    payload: bytes
    indices: Sequence[int]
    shapes: Sequence[Shape] = ()


@dataclass(frozen=True, slots=True)
class Writer:
    """Makes messages of records.

    Attributes:
        gateway: `site.id`.
        compress: gzip what is worth it.
        names_once: blocks name their shape; the names themselves are announced once.
    """

    gateway: str
    compress: bool = True
    names_once: bool = True

    def columns(self, topic: str, records: Mapping[int, Record]) -> Message:
        """Every device's values, column by column."""
        blocks = _blocks(records.values())
        name = shape_id if self.names_once else list
        document = self._head(records) | {"blocks": [_block(b, name) for b in blocks]}
        shapes = [_shape(block[0]) for block in blocks] if self.names_once else []
        payload = self._packed(document)
        return Message(topic, payload, list(records), list(dict.fromkeys(shapes)))

    def samples(self, topic: str, records: Mapping[int, Record]) -> Message:
        """One object for each sample, for readers that want it plain."""
        listed = [_sample(record) for record in records.values()]
        payload = self._packed(self._head(records) | {"samples": listed})
        return Message(topic, payload, list(records))

    def announcement(self, shape: Shape) -> bytes:
        """The names behind a shape's id."""
        return orjson.dumps({"version": VERSION, "points": shape})

    def _head(self, records: Mapping[int, Record]) -> Json:
        epoch = next(iter(records.values())).epoch
        return {"version": VERSION, "gateway": self.gateway, "epoch": epoch}

    def _packed(self, document: Json) -> bytes:
        plain = orjson.dumps(document)
        if not self.compress or len(plain) < WORTH_PACKING:
            return plain
        return gzip.compress(plain, GZIP_LEVEL, mtime=0)


def fitting(
    write: Callable[[str, Mapping[int, Record]], Message],
    packet_max: int,
    topic: str,
    records: Mapping[int, Record],
    refused: dict[int, str],
) -> Iterator[Message]:
    """One message, or several when the broker takes only small ones.

    Args:
        write: makes a message of records.
        packet_max: bytes that the broker takes.
        topic: of the message.
        records: by index in the batch.
        refused: what fits into none goes here, with the reason.
    """
    message = write(topic, records)
    if len(message.payload) + len(topic) + HEADER <= packet_max:
        yield message
    elif len(records) == 1:
        text = f"too large for the broker, which takes {packet_max} bytes"
        refused |= dict.fromkeys(records, text)
    else:
        items = list(records.items())
        for half in (items[: len(items) // 2], items[len(items) // 2 :]):
            yield from fitting(write, packet_max, topic, dict(half), refused)


def points_topic(topic: str, shape: Shape) -> str:
    """Where the names of a shape are announced."""
    return f"{topic}/points/{shape_id(shape)}"


def shape_id(shape: Shape) -> str:
    """Eight hex digits that stand for these names, the same for ever and everywhere."""
    return hashlib.sha256("\n".join(shape).encode()).hexdigest()[:8]


def _blocks(records: Iterable[Record]) -> list[list[Record]]:
    """Records of the same device, points and quality of time, in order."""
    found: dict[tuple[str, Shape, TimeQuality], list[Record]] = {}
    for record in records:
        found.setdefault((record.device, _shape(record), record.time), []).append(record)
    return list(found.values())


def _block(records: Sequence[Record], name: Callable[[Shape], object]) -> Json:
    first = records[0]
    times = [record.time_ns // NANOSECONDS_PER_MS for record in records]
    block: Json = {
        "device": first.device,
        "points": name(_shape(first)),
        "seq": _steps([record.seq for record in records]),
        "t": _steps(times),
        "values": [record.values[point] for point in first.values for record in records],
    }
    return block if first.time is TimeQuality.EXACT else block | {"time": first.time.value}


def _steps(numbers: Sequence[int]) -> list[int]:
    """The first number, then the difference of each to the one before."""
    return [numbers[0], *(after - before for before, after in pairwise(numbers))]


def _sample(record: Record) -> Json:
    sample: Json = {
        "device": record.device,
        "seq": record.seq,
        "time": iso(record.time_ns),
        "values": dict(record.values),
    }
    return sample if record.time is TimeQuality.EXACT else sample | {"quality": record.time.value}


def _shape(record: Record) -> Shape:
    return tuple(record.values)
