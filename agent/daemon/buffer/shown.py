"""What the small tables hold, for people: set-aside samples and the ledger, a page at a time.

Each function is a question to the tables and runs on the store's own thread. A set-aside sample
that is to go out again has a negative id: that survives a stop, costs no index, and the numbering
of the others never meets it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from agent.cloud import Record, TimeQuality
from agent.daemon.buffer import ledger, rows
from agent.daemon.buffer.codec import text_crc
from agent.daemon.buffer.database import Database
from agent.daemon.buffer.model import Count, LossEntry

MARKED_AT_ONCE = 500  # rows moved in one transaction, so that commits of samples come in between

COLUMNS = f"id, {rows.REFUSED}"
PAGE = f"select {COLUMNS} from rejected where id > ? and destination = ? order by id limit ?"  # noqa: S608 - constants
NEWEST = (
    f"select {COLUMNS} from rejected where ?1 = '' or destination = ?1"  # noqa: S608 - constants
    " order by id desc limit ?2 offset ?3"
)
RETURNING = (
    f"select {COLUMNS} from rejected where id < 0 and destination = ? order by id desc limit ?"  # noqa: S608 - constants
)
COUNTS = (
    "select destination, count(*), sum(readings), sum(id < 0), min(at_ms), max(at_ms)"
    " from rejected group by destination"
)
STAYING = "select id, readings from rejected where id > 0 and destination = ? order by id limit ?"
NAMED = (
    "select id, readings from rejected"
    " where id > 0 and destination = ? and seq = ? and substr(epoch, 1, length(?3)) = ?3"
)
LOWEST = "select min(0, coalesce(min(id), 0)) from rejected"
MOVE = "update rejected set id = ? where id = ?"
TOLD = (
    "update loss set reported = 1 where id = ? and samples = ? and readings = ? and from_ms = ?"
    " and to_ms = ?"
)


@dataclass(frozen=True, slots=True)
class SetAside:
    """One sample that a destination refused.

    Attributes:
        at_ms: when it was taken.
        again: it is on its way out again.
        record: as it was sent; None when the row is damaged.
    """

    id: int
    destination: str
    epoch: str
    seq: int
    at_ms: int
    reason: str
    readings: int
    record: Record | None

    @property
    def again(self) -> bool:
        """Whether it is to go out again."""
        return self.id < 0


@dataclass(frozen=True, slots=True)
class Held:
    """What is set aside for one destination: how much, of it on its way again, and since when."""

    count: Count
    again: int
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class LostLine:
    """What one destination lost for one reason.

    Attributes:
        from_ms: the oldest of it, where that is known.
        exact: False when some of it is an upper bound.
    """

    destination: str
    reason: str
    count: Count
    from_ms: int | None
    to_ms: int
    exact: bool

    def with_(self, other: "LostLine") -> "LostLine":
        """Both in one."""
        known = [ms for ms in (self.from_ms, other.from_ms) if ms]
        return replace(
            self,
            count=self.count + other.count,
            from_ms=min(known, default=None),
            to_ms=max(self.to_ms, other.to_ms),
            exact=self.exact and other.exact,
        )


def page(db: Database, destination: str, after: int, limit: int) -> list[SetAside]:
    """Set-aside samples of one destination with an id above `after`."""
    return [_set_aside(row) for row in db.rows(PAGE, (after, destination, limit))]


def newest(db: Database, destination: str, limit: int, skip: int) -> list[SetAside]:
    """The newest of one destination, or of all when none is named."""
    return [_set_aside(row) for row in db.rows(NEWEST, (destination, limit, skip))]


def returning(db: Database, destination: str, limit: int) -> list[SetAside]:
    """What is to go out again, in the order in which it was asked for."""
    return [_set_aside(row) for row in db.rows(RETURNING, (destination, limit))]


def held(db: Database) -> Mapping[str, Held]:
    """How much is set aside, by destination."""
    return {
        name: Held(Count(samples, readings), again, from_ms, to_ms)
        for name, samples, readings, again, from_ms, to_ms in db.rows(COUNTS)
    }


def mark(db: Database, destination: str, names: Sequence[tuple[str, int]] | None) -> Count:
    """Let set-aside samples go out again; those named, or the next few hundred."""
    if names is None:
        found = db.rows(STAYING, (destination, MARKED_AT_ONCE))
    else:
        found = [row for epoch, seq in names for row in db.rows(NAMED, (destination, seq, epoch))]
    chosen = dict(found)
    with db.transaction():
        lowest = db.one(LOWEST)[0]
        for place, key in enumerate(chosen, 1):
            db.execute(MOVE, (lowest - place, key))
    return Count(len(chosen), sum(chosen.values()))


def lost(db: Database) -> list[LostLine]:
    """The ledger in sums: one line for each destination and reason."""
    found: dict[tuple[str, str], LostLine] = {}
    for _, loss in ledger.losses(db):
        line = LostLine(
            loss.destination, loss.reason, loss.count, loss.from_ms or None, loss.to_ms, loss.exact
        )
        known = found.get((line.destination, line.reason))
        found[line.destination, line.reason] = known.with_(line) if known else line
    return sorted(found.values(), key=lambda line: (line.destination, line.reason))


def untold(db: Database, deaf: Sequence[str], limit: int) -> list[tuple[int, LossEntry]]:
    """Lines of the ledger that were not told as they are now, but those of some, with their ids."""
    where = f"reported = 0 and destination not in ({', '.join('?' * len(deaf))})"
    return list(islice(ledger.losses(db, where, *deaf), limit))


def told(db: Database, lines: Sequence[tuple[int, LossEntry]]) -> None:
    """Note that these were told; one that has grown meanwhile was not."""
    with db.transaction():
        for key, loss in lines:
            count = loss.count
            values = (key, count.samples, count.readings, loss.from_ms, loss.to_ms)
            db.execute(TOLD, values)


def _set_aside(row: Sequence[Any]) -> SetAside:
    key, destination, epoch, seq, at_ms, reason, readings, body, crc = row
    sound = text_crc(*row[1:-1]) == crc
    record = _record(epoch, seq, body) if sound else None
    return SetAside(key, destination, epoch, seq, at_ms, reason, readings, record)


def _record(epoch: str, seq: int, body: str) -> Record | None:
    try:
        said = json.loads(body)
        values = dict(said["values"])
        time = TimeQuality(said["time"])
        return Record(epoch, seq, str(said["device"]), int(said["time_ns"]), values, time)
    except (KeyError, TypeError, ValueError):
        return None
