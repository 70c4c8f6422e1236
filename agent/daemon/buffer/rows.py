"""Rows of the small tables, each with a CRC of its own, and back.

A flipped bit must not move a cursor, a time or a name: a row whose CRC is wrong is left out. What
many samples depend on (shapes, boots, lives, cursors) is written twice, the second time under a
negative key or a name with a dash before it; where both copies are gone, what depends on them is
treated as not settled.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from agent.daemon.buffer.codec import Shape, text_crc
from agent.daemon.buffer.database import Database
from agent.daemon.buffer.eras import Anchor, Era, Source
from agent.daemon.buffer.lives import Life
from agent.daemon.buffer.model import Count, Cursor, Refused
from agent.daemon.buffer.orders import Progress
from agent.daemon.buffer.ranges import Settled

SUMS = 6  # numbers in `counts` that every row has; where a budget is kept, month and bytes follow
TAKE_AWAY = "delete from rejected where destination = ? and epoch = ? and seq = ?"
TAKE_ALL = "delete from rejected where destination = ?"
REFUSED = "destination, epoch, seq, at_ms, reason, readings, body, crc"


def shapes(db: Database) -> Iterator[Shape]:
    """All shapes."""
    for key, device, points in _either(db, "select abs(id), device, points, crc from shape"):
        yield Shape(key, device, tuple(json.loads(points)))


def save_shape(db: Database, shape: Shape) -> None:
    """Write one."""
    _save_twice(db, "shape", (shape.id, shape.device, json.dumps(shape.points)), -shape.id)


def highest_shape(db: Database) -> int:
    """The highest id that was ever given to one, damaged ones included."""
    return int(db.one("select coalesce(max(abs(id)), 0) from shape")[0])


def eras(db: Database) -> Iterator[Era]:
    """All eras."""
    query = "select abs(id), boot_id, started_running_ns, started_mono_ns, anchors, crc from boot"
    for key, boot, running_ns, began_ns, anchors in _either(db, query):
        known = (Anchor(a, b, c, Source(d)) for a, b, c, d in json.loads(anchors))
        yield Era(key, boot, running_ns, began_ns, tuple(known))


def save_era(db: Database, era: Era) -> None:
    """Write one."""
    anchors = json.dumps([[a.since, a.mono_ns, a.wall_ns, a.source] for a in era.anchors])
    row = (era.id, era.boot, era.running_ns, era.began_ns, anchors)
    _save_twice(db, "boot", row, -era.id)


def orphans(db: Database) -> list[tuple[int, int, int]]:
    """Ids of eras that chunks name, with the boot clock (ms) of their first and last sample."""
    return db.rows("select boot, min(first_ms), max(last_ms) from chunk group by boot")


def lives(db: Database) -> Iterator[Life]:
    """All lives."""
    for row in _either(db, "select abs(first), epoch, shift, reason, crc from life"):
        yield Life(*row)


def save_life(db: Database, life: Life) -> None:
    """Write one."""
    _save_twice(db, "life", (life.first, life.epoch, life.shift, life.reason), -life.first)


def cursors(db: Database) -> Iterator[Cursor]:
    """Where every destination is, configured or not."""
    query = (
        "select ltrim(name, '-'), through, ranges, since, since_readings, counts, configured,"
        " resend, crc from destination"
    )
    for row in _either(db, query):
        name, through, ranges, since, since_readings, counts, configured, resend = row
        settled = Settled.of(through, json.loads(ranges))
        numbers = json.loads(counts)
        yield Cursor(
            name=name,
            settled=settled,
            since=Count(since, since_readings),
            delivered=Count(*numbers[0:2]),
            rejected=Count(*numbers[2:4]),
            lost=Count(*numbers[4:6]),
            configured=bool(configured),
            spent=(numbers[6], numbers[7]) if len(numbers) > SUMS else (0, 0),
            resend=resend,
        )


def save_cursor(db: Database, cursor: Cursor) -> None:
    """Write one, or remove one that is to be forgotten."""
    if cursor.forgotten:
        db.execute("delete from destination where ltrim(name, '-') = ?", (cursor.name,))
        db.execute(TAKE_ALL, (cursor.name,))
        return
    counts = [
        number
        for count in (cursor.delivered, cursor.rejected, cursor.lost)
        for number in (count.samples, count.readings)
    ] + ([*cursor.spent] if any(cursor.spent) else [])
    row = (
        cursor.name,
        cursor.settled.through,
        orjson.dumps(cursor.settled.ranges).decode(),
        cursor.since.samples,
        cursor.since.readings,
        orjson.dumps(counts).decode(),
        int(cursor.configured),
        cursor.resend,
    )
    _save_twice(db, "destination", row, f"-{cursor.name}")


def named_cursors(db: Database) -> set[str]:
    """Names that the table has, whether their rows are sound or not."""
    return {str(row[0]) for row in db.rows("select ltrim(name, '-') from destination")}


def on_card(db: Database) -> Count:
    """All samples and readings that are there."""
    return Count(*db.one("select coalesce(sum(samples), 0), coalesce(sum(readings), 0) from chunk"))


def complete(db: Database, table: str, found: int) -> bool:
    """Whether at least one copy of every row that is written twice was sound."""
    return 2 * found >= int(db.one(f"select count(*) from {table}")[0])  # noqa: S608 - a table of ours


def save_refused(db: Database, refused: Refused) -> None:
    """Set one record aside, or take it away; again is the same."""
    if refused.gone:
        name = (refused.destination, refused.epoch, refused.seq)
        db.execute(*((TAKE_AWAY, name) if refused.epoch else (TAKE_ALL, name[:1])))
        return
    row = (
        refused.destination,
        refused.epoch,
        refused.seq,
        refused.at_ms,
        refused.reason,
        refused.readings,
        refused.body,
    )
    db.execute(
        f"insert or replace into rejected ({REFUSED}) values (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constants
        (*row, text_crc(*row)),
    )


def refused(db: Database) -> Iterator[Refused]:
    """All records that are set aside."""
    for row in _sound(db, f"select {REFUSED} from rejected"):  # noqa: S608 - constants
        yield Refused(*row)


def progress(db: Database, place: str) -> Progress | None:
    """How far the rescue of a quarantined store has come; None when it has not begun."""
    query = "select place, first, numbers, through, eras, crc from rescue"
    for found, first, numbers, through, state in _sound(db, query):
        if found == place:
            known = json.loads(state)
            eras = {int(old): new for old, new in known["eras"].items()}
            brought = {name: Count(*pair) for name, pair in known["brought"].items()}
            return Progress(place, first, numbers, through, eras, brought)
    return None


def save_progress(db: Database, progress: Progress) -> None:
    """Note it; one that is done is forgotten."""
    if progress.done:
        db.execute("delete from rescue where place = ?", (progress.place,))
        return
    brought = {name: [c.samples, c.readings] for name, c in progress.brought.items()}
    state = json.dumps({"eras": progress.eras, "brought": brought})
    row = (progress.place, progress.first, progress.numbers, progress.through, state)
    _save(db, "rescue", row)


@dataclass(slots=True)
class Meta:
    """What the store notes of itself.

    Attributes:
        floor: lowest number that may still be given out.
        readings: accepted below it.
        repeated: of those, put in again (salvaged, replayed), so not new.
        running_ns: how long the gateway has run in its life.
        fullest: most readings of a commit: the bound of what an unclean stop loses.
        minutes, quarters: thinned so far through these numbers.
    """

    floor: int = 1
    readings: int = 0
    repeated: int = 0
    starts: int = 0
    running_ns: int = 0
    fullest: int = 0
    minutes: int = 0
    quarters: int = 0


def meta(db: Database) -> Meta:
    """What was noted; a fresh one when it is new or damaged."""
    query = (
        "select floor, readings, repeated, starts, running_ns, fullest, minutes, quarters, crc"
        " from meta"
    )
    return next((Meta(*row) for row in _sound(db, query)), Meta())


def save_meta(db: Database, meta: Meta) -> None:
    """Write it."""
    row = (
        1,
        meta.floor,
        meta.readings,
        meta.repeated,
        meta.starts,
        meta.running_ns,
        meta.fullest,
        meta.minutes,
        meta.quarters,
    )
    _save(db, "meta", row, skip=1)


def _sound(db: Database, query: str) -> Iterator[tuple[Any, ...]]:
    for *columns, crc in db.rows(query):
        if text_crc(*columns) == crc:
            yield tuple(columns)


def _either(db: Database, query: str) -> Iterator[tuple[Any, ...]]:
    """Rows that are written twice, once each, from whichever copy is sound."""
    seen = set()
    for row in _sound(db, query):
        if row[0] not in seen:
            seen.add(row[0])
            yield row


def _save_twice(db: Database, table: str, row: tuple[object, ...], twin: object) -> None:
    """Write a row under its key and once more under another one; the CRC is that of the first."""
    marks = ", ".join("?" * (len(row) + 1))
    put = f"insert or replace into {table} values ({marks})"  # noqa: S608 - a table of ours
    crc = text_crc(*row)
    for key in (row[0], twin):
        db.execute(put, (key, *row[1:], crc))


def _save(db: Database, table: str, row: tuple[object, ...], skip: int = 0) -> None:
    """Write a row and the CRC over its columns, the first `skip` of them left out."""
    marks = ", ".join("?" * (len(row) + 1))
    put = f"insert or replace into {table} values ({marks})"  # noqa: S608 - a table of ours
    db.execute(put, (*row, text_crc(*row[skip:])))
