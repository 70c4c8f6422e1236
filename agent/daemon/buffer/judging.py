"""Whether a store that opens is the one that was left: what its witness and its own rows say."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.daemon.buffer.codec import Damaged
from agent.daemon.buffer.database import Database, Frame, Unusable
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.lives import Life
from agent.daemon.buffer.model import Count, Cursor, LossEntry
from agent.daemon.buffer.noting import RamNote
from agent.daemon.buffer.reading import COLUMNS, unpacked
from agent.daemon.buffer.tables import Tables
from agent.daemon.buffer.witness import UNKNOWN, Witness
from agent.sample import Instant

CHECKED = 100  # chunks, the newest, after a dirty stop
STEPS = 2_000_000  # of SQLite's machine between two looks at the budget of a quick_check
LOOKS = 20  # together about a second on a small board

NEWEST = f"select {COLUMNS} from chunk order by seq desc limit ?"  # noqa: S608 - constants


@dataclass(slots=True)
class Judgement:
    """What follows from the comparison.

    Attributes:
        new_life: why the numbers cannot be vouched for, or None when they can.
        reasons: losses to enter, with the most readings each can have cost.
        news: sentences for people.
        suspicious: the stop was dirty; look closer.
    """

    new_life: str | None = None
    reasons: list[tuple[Loss, Count]] = field(default_factory=list)
    news: list[str] = field(default_factory=list)
    suspicious: bool = False

    def gone_with_ram(self, note: RamNote, tables: Tables, frame: Frame) -> None:
        """Enter what was in RAM only; what was not committed yet at the stop is part of it."""
        lost = note.lost(tables.fullest, frame.window_ms)
        if lost is not None:
            self.reasons = [r for r in self.reasons if r[0] is not Loss.UNCLEAN_STOP]
            self.reasons.append((Loss.RAM_LOST, lost))

    def losses(self, cursors: Sequence[Cursor], tables: Tables, now: Instant) -> list[LossEntry]:
        """Ledger entries; what they tell of was never numbered, so no cursor counts it."""
        from_ms = _newest_ms(tables)
        number = tables.accepted.samples + 1
        life = tables.lives.of(number) if tables.lives.known else Life(1, "", 0)
        return [
            LossEntry(
                destination=cursor.name,
                epoch=life.epoch,
                first=number,
                last=number,
                count=count,
                from_ms=from_ms,
                to_ms=now.wall_ns // 1_000_000,
                reason=reason,
                exact=False,
            )
            for cursor in cursors
            for reason, count in self.reasons
        ]


def judged(witness: Witness | None, tables: Tables, frame: Frame, *, had_wal: bool) -> Judgement:
    """Compare the store with its witness, if it has one.

    Raises:
        Unusable: it is another store than the witness knows.
    """
    judgement = Judgement()
    if not tables.lives.known:
        judgement.new_life = "created"
    if witness is None:
        return judgement
    known = any(life.epoch == witness.epoch for life in tables.lives.known)
    if not known and tables.accepted.samples:
        message = "it is not the store this gateway wrote"
        raise Unusable(message)
    _judge_numbers(judgement, witness, tables, known=known, had_wal=had_wal)
    if known and not witness.clean:
        judgement.suspicious = True
        most = tables.fullest(frame.window_ms)
        judgement.reasons.append((Loss.UNCLEAN_STOP, Count(0, most)))
        judgement.news.append(
            "The daemon ended without a proper stop (a power cut, a crash):"
            f" at most {most} readings that were not on the card yet are lost."
        )
        if not had_wal:
            judgement.new_life = "the write-ahead log is missing"
    if UNKNOWN not in (witness.hardware, frame.hardware) and witness.hardware != frame.hardware:
        judgement.new_life = "the card was moved to another board"
    if known and judgement.new_life:
        judgement.news.append(f"The store begins a new epoch: {judgement.new_life}.")
    return judgement


def _judge_numbers(
    judgement: Judgement, witness: Witness, tables: Tables, *, known: bool, had_wal: bool
) -> None:
    """What the witness knows of and the store does not hold, as far as it waited for anybody."""
    samples = witness.next - 1 - tables.accepted.samples
    older = samples > 0
    if known and older:
        judgement.new_life = "it is older than it should be"
    if not older and (had_wal or witness.clean or not known):
        return
    readings = max(0, witness.readings - tables.accepted.readings) if older else 0
    if witness.held is not None:
        readings = min(readings, witness.held)
    if not witness.clean:
        readings += witness.soon
    if readings:
        count = Count(max(0, min(samples, readings)), readings)
        judgement.reasons.append((Loss.ROLLED_BACK, count))
    if not known:
        judgement.news.append(
            "The store was deleted, and a new one begins;"
            f" at most {readings} readings that waited in it are gone."
        )


def check(db: Database, tables: Tables) -> None:
    """Look closer at a store that was not closed.

    Raises:
        Unusable: something is wrong with it.
    """
    problems = db.quick_check(STEPS, LOOKS)
    if problems:
        raise Unusable(problems)
    for row in db.rows(NEWEST, (CHECKED,)):
        try:
            unpacked(row, tables.shapes.by_id)
        except Damaged as error:
            message = f"chunk {error} is damaged"
            raise Unusable(message) from error


def _newest_ms(tables: Tables) -> int:
    number, era_id, us = tables.newest
    era = tables.eras.by_id.get(era_id)
    anchor = era.anchor(number, trusted_only=False) if era else None
    return (us * 1000 + anchor.offset_ns) // 1_000_000 if anchor else 0
