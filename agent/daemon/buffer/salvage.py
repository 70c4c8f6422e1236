"""Read what can be read of a quarantined store: a child process, so that no damage reaches us.

    python -m agent.daemon.buffer.salvage FOLDER [AFTER]

One JSON object a line on standard output: first `head` (what the store said of itself), then
`chunk` for every chunk whose CRC is right, after number AFTER, then `end`. A page that cannot be
read costs the chunks on it, not those behind it.
"""

import json
import os
import secrets
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from typing import Any

from agent.daemon.buffer import ledger, rows
from agent.daemon.buffer.codec import Damaged, Shape
from agent.daemon.buffer.database import Database
from agent.daemon.buffer.eras import Era, Eras
from agent.daemon.buffer.model import Chunk, Count, Cursor, LossEntry
from agent.daemon.buffer.reading import sound, unpacked
from agent.daemon.buffer.unsound import Wreck
from agent.plan import Json

STRIDE = 16  # numbers to step over where a page cannot be read: about a chunk
NEWEST = "select boot, last_ms from chunk order by seq desc limit 1"
BOOTS = "select distinct boot from chunk"
FIRST_MS, LAST_MS, ERA = 5, 6, 7  # places in COLUMNS
TWINS = 2  # rows of one life
TRIES_MAX = 1_000_000
NICE = 10


def lines(folder: Path, after: int = 0) -> Iterator[bytes]:
    """What a quarantined store holds."""
    try:
        wreck = Wreck(folder)
    except sqlite3.Error:
        yield _line("end", damaged=0)
        return
    with closing(wreck):
        yield _line("head", **_head(wreck))
        shapes = {shape.id: shape for shape in wreck.best("shape", rows.shapes)}
        damaged = 0
        for row in _rows(wreck, after):
            chunk = _whole(row, shapes)
            if chunk is None:
                damaged += 1
            else:
                yield _chunk(chunk)
        yield _line("end", damaged=damaged)


def _head(wreck: Wreck) -> Json:
    last, readings = wreck.highest()
    accepted = Count(last, readings)
    return {
        "last": last,
        "lives": _lives(wreck),
        "eras": _eras(wreck),
        "cursors": [
            _cursor(cursor, accepted) for cursor in wreck.best("destination", rows.cursors)
        ],
        "unplaced": sorted({name for names in wreck.known(_names) for name in names}),
        "rejected": [astuple(refused) for refused in wreck.known(rows.refused)],
        "fullest": 2 * wreck.fullest(),
        "losses": [_loss(key, loss) for key, loss in wreck.known(ledger.losses)],
    }


def _lives(wreck: Wreck) -> list[list[object]]:
    """The names of its samples; new ones for all of them where some are damaged.

    Empty: there was one name, which the witness knows.
    """
    known = wreck.best("life", rows.lives)
    count = sum(row[0] for row in wreck.known(lambda db: db.rows("select count(*) from life")))
    if 2 * len(known) < count:
        return [[1, secrets.token_hex(16), 0]] if count > TWINS else []
    return [[life.first, life.epoch, life.shift] for life in known]


def _names(db: Database) -> list[set[str]]:
    """Destinations whose place nobody knows any more."""
    known = {cursor.name for cursor in rows.cursors(db)}
    lost = not rows.complete(db, "destination", len(known))
    return [rows.named_cursors(db) - known] if lost else []


def _eras(wreck: Wreck) -> list[list[object]]:
    """What its boot clocks mean; the running time of the store's life ends here with 0."""
    running_ns = max([0, *(meta.running_ns for meta in wreck.known(lambda db: [rows.meta(db)]))])
    told = wreck.known(lambda db: db.rows(NEWEST))
    newest = next((row for row in told if all(isinstance(x, int) for x in row)), (0, 0))
    eras = Eras(
        wreck.best("boot", rows.eras), running_ns, newest=(newest[0], newest[1] * 1_000_000)
    )
    for key, (first_ms, last_ms) in _spans(wreck, set(eras.by_id)).items():
        eras.restore(key, first_ms * 1_000_000, last_ms * 1_000_000)
    return [_era(era, eras.ran_ns) for era in eras.by_id.values()]


def _spans(wreck: Wreck, known: set[int]) -> dict[int, tuple[int, int]]:
    """Boot clock (ms) of the first and last sample of each boot that nobody knows any more."""
    spans: dict[int, tuple[int, int]] = {}
    named = wreck.known(lambda db: [{row[0] for row in db.rows(BOOTS)}])
    if named and named[0] <= known:
        return spans
    for row in _rows(wreck, 0):
        if row is not None and sound(row) and row[ERA] not in known:
            first_ms, last_ms = spans.get(row[ERA], (row[FIRST_MS], row[LAST_MS]))
            spans[row[ERA]] = min(first_ms, row[FIRST_MS]), max(last_ms, row[LAST_MS])
    return spans


def _era(era: Era, ran_ns: int) -> list[object]:
    anchors = [[a.since, a.mono_ns, a.wall_ns, a.source] for a in era.anchors]
    return [era.id, era.boot, era.running_ns - ran_ns, era.began_ns, anchors]


def _cursor(cursor: Cursor, accepted: Count) -> list[object]:
    ranges = [(1, cursor.settled.through), *cursor.settled.ranges]
    waiting = cursor.waiting(accepted)
    return [cursor.name, ranges, waiting.samples, waiting.readings]


def _loss(key: int, loss: LossEntry) -> list[object]:
    return [key, *astuple(loss)]


def _rows(wreck: Wreck, number: int) -> Iterator[Any]:
    """Every sound row of a chunk behind a number, and None for each place where there is none.

    A damaged one may name any number: it is gone towards in steps, so that none behind is missed.
    """
    tries, met = 0, None
    highest, _ = wreck.highest()
    while tries < TRIES_MAX and (row := wreck.after(number)) is not None:
        ahead = row[0] > number  # else the page is not in order
        if ahead and sound(row):
            number = row[0]
            yield row
            continue
        if row[0] != met:
            yield None
        tries, met = tries + 1, row[0]
        number = min(row[0], number + STRIDE) if ahead else number + STRIDE
        if number > highest:
            return


def _whole(row: Any, shapes: dict[int, Shape]) -> Chunk | None:
    try:
        return unpacked(row, shapes) if row is not None else None
    except Damaged:
        return None


def _chunk(chunk: Chunk) -> bytes:
    entries = [[n, device, us, dict(values)] for n, device, us, values in chunk.entries]
    return _line(
        "chunk",
        first=chunk.first,
        last=chunk.last,
        lane=int(chunk.lane),
        era=chunk.era,
        thinned=chunk.thinned,
        entries=entries,
    )


def _line(kind: str, **fields: Any) -> bytes:
    return json.dumps({"kind": kind, **fields}).encode() + b"\n"


def main() -> int:
    """Write them out, at a low priority."""
    os.nice(NICE)
    after = int(sys.argv[2]) if len(sys.argv) > 2 else 0  # noqa: PLR2004 - program, folder, after
    for line in lines(Path(sys.argv[1]), after):
        sys.stdout.buffer.write(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
