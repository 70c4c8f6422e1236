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
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import astuple
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from agent.daemon.buffer import ledger, rows
from agent.daemon.buffer.codec import Damaged, Shape, text_crc
from agent.daemon.buffer.database import Database, Frame, legible
from agent.daemon.buffer.eras import Era, Eras
from agent.daemon.buffer.mending import PAGE_BYTES, mend_first_page, mend_log
from agent.daemon.buffer.model import Chunk, Count, Cursor, LossEntry
from agent.daemon.buffer.reading import COLUMNS, sound, unpacked
from agent.daemon.buffer.tables import fullest
from agent.daemon.programs import program
from agent.plan import Json

T = TypeVar("T")

STRIDE = 16  # numbers to step over where a page cannot be read: about a chunk
NEWEST = "select boot, last_ms from chunk order by seq desc limit 1"
BOOTS = "select distinct boot from chunk"
FIRST_MS, LAST_MS, ERA = 5, 6, 7  # places in COLUMNS
TWINS = 2  # rows of one life
WINDOW_MS = 5000  # the largest loss window there is: which one it had is not known any more
TRIES_MAX = 1_000_000
NICE = 10
FRAME = Frame(pages=0, window_ms=0, ballast_bytes=0, hardware=bytes(8))  # it is only read

FOLLOWING = f"select {COLUMNS} from chunk where seq > ? order by seq limit 1"  # noqa: S608 - constants
SCHEMA = (  # what sqlite-utils keeps there is none of ours: another version may have it otherwise
    "select type || name || tbl_name || coalesce(sql, ''), rootpage from sqlite_master"
    " where tbl_name not glob '_sqlite*'"
)
FORMAT_1 = "select count(*) > 0 from sqlite_temp_master"  # then it is read through views
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
HIGHEST = "select last, total from chunk order by seq desc limit 1"

# a store of format 1 as we read it: of its small rows only the cursors had a CRC
CURSOR_1 = "name, through, ranges, since, since_readings, counts, configured"
AS_FORMAT_2 = (
    """create temp view rejected as select *, crc_of(destination, epoch, seq, at_ms, reason,
       readings, body) as crc from main.rejected""",
    """create temp view loss as select *, crc_of(destination, epoch, first, last, samples, readings,
       from_ms, to_ms, reason, exact) as crc from main.loss""",
    f"""create temp view destination as select {CURSOR_1}, 0 as resend, crc_of({CURSOR_1}, 0) as crc
       from main.destination as old where old.crc = crc_of({CURSOR_1})""",  # noqa: S608 - constants
)


Schema = dict[str, int]


class Wreck(Database):
    """A database of which anything may be broken."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "buffer.db", FRAME)
        mend_log(folder)
        self._connection = self._connected()
        model, first_page = new_store()
        if not self._reads_as_ours(model):
            self.close()
            mend_first_page(self._file, first_page)
            self._connection = self._connected()

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, isolation_level=None)
        connection.text_factory = legible
        with suppress(*UNREADABLE):
            if connection.execute("pragma user_version").fetchone()[0] == 1:
                connection.create_function("crc_of", -1, text_crc, deterministic=True)
                for view in AS_FORMAT_2:
                    connection.execute(view)
        return connection

    def _reads_as_ours(self, model: Schema) -> bool:
        """Whether its first page, which says where every table begins, can be believed.

        One table that begins elsewhere than in a new store is a flipped bit; all of them are what
        another version of sqlite-utils makes.
        """
        with suppress(*UNREADABLE):
            schema = dict(self.rows(SCHEMA))
            same = schema.keys() == model.keys() and len(schema.items() - model.items()) != 1
            return same or bool(self.one(FORMAT_1)[0])
        return False

    def known(self, load: Callable[[Database], Iterable[T]]) -> list[T]:
        """Everything of one kind that can be read."""
        found: list[T] = []
        with suppress(sqlite3.Error, ValueError, TypeError):  # of text, too
            found.extend(load(self))
        return found

    def highest(self) -> tuple[int, int]:
        """The last number and how many readings were accepted with it."""
        candidates = [(0, 0)]
        for row in self.known(lambda db: db.rows(HIGHEST)):
            candidates += [row] if all(isinstance(x, int) for x in row) else []
        for meta in self.known(lambda db: [rows.meta(db)]):
            candidates.append((meta.floor - 1, meta.readings))
        return max(candidates)

    def fullest(self) -> int:
        """Most readings that were accepted within one loss window."""
        recent = self.known(lambda db: [fullest(db, WINDOW_MS)])
        known = self.known(lambda db: [rows.meta(db)])
        return max([0, *recent, *(meta.fullest for meta in known)])

    def after(self, number: int) -> Any:
        """The next row, None at the end."""
        return self.one(FOLLOWING, (number,))


@cache
def new_store() -> tuple[Schema, bytes]:
    """Where the tables of a new store begin, and its first page."""
    with TemporaryDirectory() as folder:
        subprocess.run(program("agent.prepare.store", folder), check=True)  # noqa: S603 - ours
        file = Path(folder) / "buffer" / "buffer.db"
        with closing(sqlite3.connect(file)) as db:
            schema = dict(db.execute(SCHEMA).fetchall())
        return schema, file.read_bytes()[:PAGE_BYTES]


def lines(folder: Path, after: int = 0) -> Iterator[bytes]:
    """What a quarantined store holds."""
    try:
        wreck = Wreck(folder)
    except sqlite3.Error:
        yield _line("end", damaged=0)
        return
    with closing(wreck):
        yield _line("head", **_head(wreck))
        shapes = {shape.id: shape for shape in wreck.known(rows.shapes)}
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
        "cursors": [_cursor(cursor, accepted) for cursor in wreck.known(rows.cursors)],
        "unplaced": sorted({name for names in wreck.known(_names) for name in names}),
        "rejected": [astuple(refused) for refused in wreck.known(rows.refused)],
        "fullest": 2 * wreck.fullest(),
        "losses": [_loss(key, loss) for key, loss in wreck.known(ledger.losses)],
    }


def _lives(wreck: Wreck) -> list[list[object]]:
    """The names of its samples; new ones for all of them where some are damaged.

    Empty: there was one name, which the witness knows.
    """
    known = wreck.known(rows.lives)
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
    newest = next(iter(wreck.known(lambda db: db.rows(NEWEST))), (0, 0))
    eras = Eras(wreck.known(rows.eras), running_ns, newest=(newest[0], newest[1] * 1_000_000))
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
    """Every readable row of a chunk behind a number, and None for each place that is not."""
    tries = 0
    highest, _ = wreck.highest()
    while tries < TRIES_MAX:
        try:
            row = wreck.after(number)
        except sqlite3.Error:
            tries, number = tries + 1, number + STRIDE
            if tries == 1 or number > highest:
                yield None
            if number > highest:
                return
            continue
        if row is None:
            return
        number = row[0]
        yield row


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
