"""Rows of the small tables, each with a CRC of its own, and back.

A flipped bit must not move a cursor, a time or a name: a row whose CRC is wrong is left out, and
what depends on it is treated as lost or as not settled, whichever is safe.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

from agent.daemon.buffer.codec import Shape, text_crc
from agent.daemon.buffer.database import Database
from agent.daemon.buffer.eras import Anchor, Era, Source
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.lives import Life
from agent.daemon.buffer.model import Count, Cursor, LossEntry, Refused
from agent.daemon.buffer.orders import Progress
from agent.daemon.buffer.ranges import Settled

SUMS = 6  # numbers in `counts` that every row has; where a budget is kept, month and bytes follow
TAKE_AWAY = "delete from rejected where destination = ? and epoch = ? and seq = ?"
TAKE_ALL = "delete from rejected where destination = ?"
REFUSED = "destination, epoch, seq, at_ms, reason, readings, body, crc"
LOST = "destination, epoch, first, last, samples, readings, from_ms, to_ms, reason, exact, crc"


def shapes(db: Database) -> Iterator[Shape]:
    """All shapes."""
    for key, device, points in _sound(db, "select id, device, points, crc from shape"):
        yield Shape(key, device, tuple(json.loads(points)))


def save_shape(db: Database, shape: Shape) -> None:
    """Write one."""
    _save(db, "shape", (shape.id, shape.device, json.dumps(shape.points)))


def eras(db: Database) -> Iterator[Era]:
    """All eras."""
    query = "select id, boot_id, started_running_ns, started_mono_ns, anchors, crc from boot"
    for key, boot, running_ns, began_ns, anchors in _sound(db, query):
        known = (Anchor(a, b, c, Source(d)) for a, b, c, d in json.loads(anchors))
        yield Era(key, boot, running_ns, began_ns, tuple(known))


def save_era(db: Database, era: Era) -> None:
    """Write one."""
    anchors = json.dumps([[a.since, a.mono_ns, a.wall_ns, a.source] for a in era.anchors])
    _save(db, "boot", (era.id, era.boot, era.running_ns, era.began_ns, anchors))


def lives(db: Database) -> Iterator[Life]:
    """All lives."""
    for row in _sound(db, "select first, epoch, shift, reason, crc from life"):
        yield Life(*row)


def save_life(db: Database, life: Life) -> None:
    """Write one."""
    _save(db, "life", (life.first, life.epoch, life.shift, life.reason))


def cursors(db: Database) -> Iterator[Cursor]:
    """Where every destination is, configured or not."""
    query = (
        "select name, through, ranges, since, since_readings, counts, configured, resend, crc"
        " from destination"
    )
    for row in _sound(db, query):
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
        db.execute("delete from destination where name = ?", (cursor.name,))
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
        json.dumps(cursor.settled.ranges, separators=(",", ":")),
        cursor.since.samples,
        cursor.since.readings,
        json.dumps(counts, separators=(",", ":")),
        int(cursor.configured),
        cursor.resend,
    )
    _save(db, "destination", row)


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


def losses(db: Database, where: str = "1", *values: object) -> Iterator[tuple[int, LossEntry]]:
    """Lines of the ledger that are sound, oldest first, each with its key."""
    query = f"select id, reported, {LOST} from loss where {where} order by id"  # noqa: S608 - constants
    for key, told, *columns, crc in db.rows(query, values):
        if text_crc(*columns) == crc:
            yield key, replace(_loss_of(columns), told=bool(told))


def newest_losses(db: Database) -> Iterator[tuple[int, LossEntry]]:
    """The newest unreported line of the ledger for each destination and reason, with its key."""
    newest = "select max(id) from loss where reported = 0 group by destination, reason"
    return losses(db, f"id in ({newest})")


def lost(db: Database) -> dict[str, dict[str, int]]:
    """Readings by destination and reason."""
    found: dict[str, dict[str, int]] = {}
    for _, loss in losses(db):
        reasons = found.setdefault(loss.destination, {})
        reasons[loss.reason] = reasons.get(loss.reason, 0) + loss.count.readings
    return found


def _loss_of(row: Sequence[Any]) -> LossEntry:
    return LossEntry(
        destination=row[0],
        epoch=row[1],
        first=row[2],
        last=row[3],
        count=Count(row[4], row[5]),
        from_ms=row[6],
        to_ms=row[7],
        reason=Loss(row[8]),
        exact=bool(row[9]),
    )


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


def save_loss(db: Database, key: int, loss: LossEntry) -> None:
    """Write one line of the ledger under its number; again is the same."""
    row = (
        loss.destination,
        loss.epoch,
        loss.first,
        loss.last,
        loss.count.samples,
        loss.count.readings,
        loss.from_ms,
        loss.to_ms,
        loss.reason.value,
        int(loss.exact),
    )
    db.execute(
        "insert or replace into loss values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (key, *row, int(loss.told), text_crc(*row)),
    )


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
    _save(db, "meta", (1, *astuple(meta)), skip=1)


def _sound(db: Database, query: str) -> Iterator[tuple[Any, ...]]:
    for *columns, crc in db.rows(query):
        if text_crc(*columns) == crc:
            yield tuple(columns)


def _save(db: Database, table: str, row: tuple[object, ...], skip: int = 0) -> None:
    """Write a row and the CRC over its columns, the first `skip` of them left out."""
    marks = ", ".join("?" * (len(row) + 1))
    put = f"insert or replace into {table} values ({marks})"  # noqa: S608 - a table of ours
    db.execute(put, (*row, text_crc(*row[skip:])))
