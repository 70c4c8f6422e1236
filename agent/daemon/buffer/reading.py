"""Chunks back from the card, oldest first, each judged by its CRC before it is believed."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.daemon.buffer.codec import THINNED, Damaged, Shape, decode, row_crc
from agent.daemon.buffer.database import Database
from agent.daemon.buffer.model import Chunk, Kind
from agent.daemon.buffer.ranges import Settled

COLUMNS = "seq, last, samples, readings, total, first_ms, last_ms, boot, lane, codec, crc, body"
GET = f"select {COLUMNS} from chunk where seq >= ? and seq <= ? order by seq"  # noqa: S608 - constants
GET_LANE = (
    f"select {COLUMNS} from chunk indexed by chunk_lane"  # noqa: S608 - constants
    " where lane > 0 and lane = ? and seq >= ? and seq <= ? order by seq"
)
FROM = f"select {COLUMNS} from chunk where seq >= ? order by seq limit ?"  # noqa: S608 - constants
ORDINARY = f"select {COLUMNS} from chunk where lane <> 1 and seq >= ? order by seq limit ?"  # noqa: S608 - constants
BEFORE = f"select {COLUMNS} from chunk where seq < ? order by seq desc limit 1"  # noqa: S608 - constants
BEHIND = f"select {COLUMNS} from chunk where seq > ? order by seq limit 1"  # noqa: S608 - constants
COVERING = "select max(seq) from chunk where seq <= ?"


@dataclass(slots=True)
class Ask:
    """What to read: unsettled samples from `start` to `end`, about enough for one batch.

    Attributes:
        lane: only chunks of this kind; None: all.
    """

    settled: Settled
    start: int
    end: int
    records: int
    readings: int
    lane: Kind | None = None

    def full(self, found: "Found") -> bool:
        """Whether what was found is enough."""
        return found.records >= self.records or found.readings >= self.readings


@dataclass(frozen=True, slots=True)
class Damage:
    """A chunk nobody can read.

    Attributes:
        last: the last number it can have held; None: it is the newest.
        samples, readings: how many it says it held; that may be as wrong as the rest.
        before, through: readings accepted up to it and with it, where its neighbours tell.
    """

    first: int
    last: int | None
    samples: object
    readings: object
    before: int | None = None
    through: int | None = None


@dataclass(slots=True)
class Found:
    """What was read.

    Attributes:
        damaged: chunks whose CRC was wrong.
        incomplete: the card could not be read; what is missing may still be there.
        hopeless: nor will it: the structure of the database is damaged.
    """

    chunks: list[Chunk] = field(default_factory=list)
    damaged: list[Damage] = field(default_factory=list)
    records: int = 0
    readings: int = 0
    incomplete: bool = False
    hopeless: bool = False

    def add(self, chunk: Chunk) -> None:
        """One more."""
        self.chunks.append(chunk)
        self.records += len(chunk.entries)
        self.readings += chunk.readings


def read(db: Database, shapes: Mapping[int, Shape], ask: Ask) -> Found:
    """Read until there is enough for a batch; what is settled is stepped over."""
    found = Found()
    number: int | None = ask.start
    while number is not None and number <= ask.end:
        number = _read_stretch(db, shapes, ask, ask.settled.next_missing(number), found)
    return found


def _read_stretch(
    db: Database, shapes: Mapping[int, Shape], ask: Ask, number: int, found: Found
) -> int | None:
    """Read up to the next long settled range; returns where to go on, None at the end."""
    for row in _rows(db, ask, number):
        first, last = row[0], row[1]
        if not ask.settled.covers(first, last):
            _judge(db, row, shapes, found)
            if ask.full(found):
                return None
        elif (beyond := ask.settled.next_missing(last)) > last + 1:
            return beyond
    return None


def _rows(db: Database, ask: Ask, number: int) -> Iterator[Any]:
    if ask.lane is not None:
        return iter(db.execute(GET_LANE, (int(ask.lane), number, ask.end)))
    start = db.one(COVERING, (number,))[0]
    rows = db.execute(GET, (number if start is None else start, ask.end))
    return (row for row in rows if row[1] >= number)


def oldest(
    db: Database, shapes: Mapping[int, Shape], span: tuple[int, int], *, ordinary: bool
) -> Found:
    """Chunks whoever has settled them, from a number on and so many; without alarms if asked."""
    found = Found()
    for row in db.rows(ORDINARY if ordinary else FROM, span):
        _judge(db, row, shapes, found)
    return found


def _judge(db: Database, row: Any, shapes: Mapping[int, Shape], found: Found) -> None:
    try:
        found.add(unpacked(row, shapes))
    except Damaged:
        found.damaged.append(_damage(db, row))


def _damage(db: Database, row: Any) -> Damage:
    """What can be known of a row that is not as it was written."""
    before, behind = db.one(BEFORE, row[:1]), db.one(BEHIND, row[:1])
    touches = before is not None and before[1] == row[0] - 1 and _counts_on(before)
    return Damage(
        first=row[0],
        last=behind[0] - 1 if behind else None,
        samples=row[2],
        readings=row[3],
        before=before[4] if touches else None,
        through=behind[4] - behind[3] if behind and _counts_on(behind) else None,
    )


def _counts_on(row: Any) -> bool:
    """Whether its total can be believed; a salvaged chunk has none."""
    return sound(row) and row[4] > 0


def sound(row: Any) -> bool:
    """Whether the CRC of a row is right."""
    *numbers, crc, body = row
    try:
        return bool(row_crc(numbers, body) == crc)
    except (struct.error, TypeError):
        return False


def unpacked(row: Any, shapes: Mapping[int, Shape]) -> Chunk:
    """A chunk from its row.

    Raises:
        Damaged: the CRC is wrong, or what it vouches for makes no sense.
    """
    *numbers, _, body = row if sound(row) else _recounted(row, shapes)
    first, last, samples, readings, total, _, _, era, lane, codec = numbers
    entries = decode(first, codec, body, shapes)
    if len(entries) != samples:
        raise Damaged(first)
    thinned = codec - codec % THINNED
    return Chunk(first, last, readings, total, Kind(lane), era, entries, thinned)


def _recounted(row: Any, shapes: Mapping[int, Shape]) -> Any:
    """The row with the counts that its body tells: where only they were hit, it is whole.

    Raises:
        Damaged: it is not.
    """
    first, last, _, _, *numbers, codec, crc, body = row
    entries = decode(first, codec, body, shapes)
    readings = sum(len(values) for _, _, _, values in entries)
    whole = (first, last, len(entries), readings, *numbers, codec, crc, body)
    if not sound(whole):
        raise Damaged(first)
    return whole
