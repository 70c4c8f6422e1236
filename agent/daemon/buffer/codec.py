"""The body of a chunk: the samples of one commit, grouped by shape, column after column.

Layout (codec PLAIN and EXOTIC): raw deflate of the JSON text
`[base, [shape, [place, …], [µs, …], [value, …]], …]`. `base` is the boot clock of the first sample
in microseconds; `place` is added to the chunk's first number; `µs` to `base`; the values stand
point by point, each point's values in the order of the samples, null where a sample lacks it.
EXOTIC is the same text with integers above 64 bits or lone surrogates in it, which need the slower
reader. A body is never decoded before its row's CRC-32 was right.
"""

import json
import struct
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson

from agent.sample import Value

PLAIN, EXOTIC = 1, 2
THINNED, THINNED_TWICE = 10, 20  # added to the codec: to the minute, to the quarter of an hour

# A window of 4 KB and a small hash: 22 µs instead of 74 for a kilobyte, and not a byte larger,
# because zlib's own defaults clear 256 KB of tables for every chunk.
LEVEL, WINDOW, MEMORY = 6, -12, 5
BODY_MAX = 64 << 20  # decoded; a chunk closes at 32 KB, only one giant sample can be larger

NUMBERS = struct.Struct("<10q")  # the integer columns of a chunk row

Entry = tuple[int, str, int, Mapping[str, Value]]  # number, device, boot clock in µs, values


class Damaged(Exception):
    """These bytes are not what was written."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The points of one device, in order: what would repeat in every chunk."""

    id: int
    device: str
    points: tuple[str, ...]


Group = tuple[list[int], list[int], list[Collection[Value | None]]]  # places, times, rows


class Shapes:
    """Every shape of the store, and the ones that are not in it yet."""

    def __init__(self, known: Iterable[Shape] = (), highest: int = 0) -> None:
        """Take up those of a store; ids up to the highest are never given to another shape."""
        self.by_id = {shape.id: shape for shape in known}
        self.new: list[Shape] = []
        self._exact = {(shape.device, shape.points): shape for shape in self.by_id.values()}
        self._widest: dict[str, Shape] = {}
        self._next = max(highest, *self.by_id, 0) + 1

    def of(self, device: str, points: tuple[str, ...]) -> Shape:
        """A shape that has room for these points of this device.

        A device that leaves out bad values now and then gets one shape per point at most, not one
        per combination.
        """
        widest = self._widest.get(device)
        if widest is not None and widest.points == points:
            return widest
        shape = self._exact.get((device, points))
        if shape is not None:
            if widest is None:
                self._widest[device] = shape
            return shape
        if widest is not None and set(points) <= set(widest.points):
            return widest
        return self._added(device, _union(widest.points, points) if widest else points)

    def _added(self, device: str, points: tuple[str, ...]) -> Shape:
        shape = self._exact.get((device, points))
        if shape is None:
            shape = Shape(self._next, device, points)
            self._next += 1
            self.by_id[shape.id] = self._exact[device, points] = shape
            self.new.append(shape)
        self._widest[device] = shape
        return shape


def _union(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*left, *right)))


def encode(entries: Sequence[Entry], shapes: Shapes) -> tuple[int, bytes]:
    """Pack samples of ascending numbers; returns the codec and the body."""
    first, _, base, _ = entries[0]
    groups: dict[int, Group] = {}
    for number, device, at_us, values in entries:
        points = tuple(values)
        shape = shapes.of(device, points)
        row = values.values() if points == shape.points else [values.get(p) for p in shape.points]
        group = groups.get(shape.id)
        if group is None:
            groups[shape.id] = [number - first], [at_us - base], [row]
        else:
            group[0].append(number - first)
            group[1].append(at_us - base)
            group[2].append(row)
    packed: list[object] = [base]
    for key, (places, times, rows) in groups.items():
        columns = rows[0] if len(rows) == 1 else chain.from_iterable(zip(*rows, strict=True))
        packed.append((key, places, times, list(columns)))
    return _pressed(packed)


def _pressed(packed: list[object]) -> tuple[int, bytes]:
    codec = PLAIN
    try:
        text = orjson.dumps(packed)
    except TypeError:
        codec, text = EXOTIC, json.dumps(packed, separators=(",", ":"), default=str).encode()
    press = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW, MEMORY)
    return codec, press.compress(text) + press.flush()


def decode(first: int, codec: int, body: bytes, shapes: Mapping[int, Shape]) -> list[Entry]:
    """The samples of a body, in order of their numbers.

    Raises:
        Damaged: not a body, of an unknown codec or shape, or larger than BODY_MAX.
    """
    try:
        inflate = zlib.decompressobj(WINDOW)
        text = inflate.decompress(body, BODY_MAX)
        layout = codec % THINNED
        if not inflate.eof or layout not in (PLAIN, EXOTIC):
            raise Damaged(first)
        base, *groups = orjson.loads(text) if layout == PLAIN else json.loads(text)
        entries = [entry for group in groups for entry in _unpacked(first, base, shapes, group)]
    except (zlib.error, ValueError, TypeError, KeyError, IndexError) as error:
        raise Damaged(first) from error
    if len(groups) > 1:
        entries.sort(key=_number)
    return entries


def _number(entry: Entry) -> int:
    return entry[0]


def _unpacked(
    first: int, base: int, shapes: Mapping[int, Shape], group: list[Any]
) -> Iterable[Entry]:
    key, places, times, columns = group
    shape = shapes[key]
    count = len(places)
    if len(columns) != count * len(shape.points):
        raise Damaged(first)
    for index, (place, time) in enumerate(zip(places, times, strict=True)):
        values = dict(zip(shape.points, columns[index::count], strict=True))
        if None in values.values():
            values = {point: value for point, value in values.items() if value is not None}
        yield first + place, shape.device, base + time, values


def row_crc(numbers: Sequence[int], body: bytes) -> int:
    """CRC-32 over the integer columns of a chunk row and its body."""
    return zlib.crc32(body, zlib.crc32(NUMBERS.pack(*numbers)))


def text_crc(*columns: object) -> int:
    """CRC-32 over the columns of a small row."""
    return zlib.crc32(repr(columns).encode())
