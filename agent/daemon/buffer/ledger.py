"""Rows of the loss ledger: one line for each stretch that one destination lost for one reason."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from agent.daemon.buffer.codec import text_crc
from agent.daemon.buffer.database import Database
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.model import Count, LossEntry

COLUMNS = "destination, epoch, first, last, samples, readings, from_ms, to_ms, reason, exact, crc"


def losses(db: Database, where: str = "1", *values: object) -> Iterator[tuple[int, LossEntry]]:
    """Lines of the ledger that are sound, oldest first, each with its key."""
    query = f"select id, reported, {COLUMNS} from loss where {where} order by id"  # noqa: S608 - constants
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
