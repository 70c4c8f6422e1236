"""Read what can be read of a quarantined store: a child process, so that no damage reaches us.

    python -m agent.daemon.buffer.salvage FOLDER [AFTER]

One JSON object a line on standard output: first `head` (what the store said of itself), then
`chunk` for every chunk whose CRC is right, after number AFTER, then `end`. A page that cannot be
read costs the chunks on it, not those behind it.
"""

import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any, TypeVar

from agent.daemon.buffer import ledger, rows
from agent.daemon.buffer.codec import Damaged, Shape, text_crc
from agent.daemon.buffer.database import Database, Frame
from agent.daemon.buffer.eras import Era
from agent.daemon.buffer.model import Chunk, Count, Cursor, LossEntry
from agent.daemon.buffer.reading import COLUMNS, unpacked
from agent.daemon.buffer.tables import fullest
from agent.plan import Json

T = TypeVar("T")

STRIDE = 16  # numbers to step over where a page cannot be read: about a chunk
WINDOW_MS = 5000  # the largest loss window there is: which one it had is not known any more
TRIES_MAX = 1_000_000
NICE = 10
FRAME = Frame(pages=0, window_ms=0, ballast_bytes=0, hardware=bytes(8))  # it is only read

FOLLOWING = f"select {COLUMNS} from chunk where seq > ? order by seq limit 1"  # noqa: S608 - constants
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


class Wreck(Database):
    """A database of which anything may be broken."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "buffer.db", FRAME)
        self._connection = sqlite3.connect(self._file, isolation_level=None)
        with suppress(sqlite3.Error):
            if self.one("pragma user_version")[0] == 1:
                self._connection.create_function("crc_of", -1, text_crc, deterministic=True)
                for view in AS_FORMAT_2:
                    self.execute(view)

    def known(self, load: Callable[[Database], Iterable[T]]) -> list[T]:
        """Everything of one kind that can be read."""
        found: list[T] = []
        with suppress(sqlite3.Error, ValueError, TypeError):
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
        for chunk in _chunks(wreck, shapes, after):
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
        "lives": [[life.first, life.epoch, life.shift] for life in wreck.known(rows.lives)],
        "eras": [_era(era) for era in wreck.known(rows.eras)],
        "cursors": [_cursor(cursor, accepted) for cursor in wreck.known(rows.cursors)],
        "rejected": [astuple(refused) for refused in wreck.known(rows.refused)],
        "fullest": 2 * wreck.fullest(),
        "losses": [_loss(key, loss) for key, loss in wreck.known(ledger.losses)],
    }


def _era(era: Era) -> list[object]:
    anchors = [[a.mono_ns, a.wall_ns, a.source] for a in era.anchors]
    return [era.id, era.boot, era.running_ns, era.began_ns, anchors]


def _cursor(cursor: Cursor, accepted: Count) -> list[object]:
    ranges = [(1, cursor.settled.through), *cursor.settled.ranges]
    waiting = cursor.waiting(accepted)
    return [cursor.name, ranges, waiting.samples, waiting.readings]


def _loss(key: int, loss: LossEntry) -> list[object]:
    return [key, *astuple(loss)]


def _chunks(wreck: Wreck, shapes: dict[int, Shape], number: int) -> Iterator[Chunk | None]:
    """Every readable chunk, and None for each place that is not."""
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
        yield _whole(row, shapes)


def _whole(row: Any, shapes: dict[int, Shape]) -> Chunk | None:
    try:
        return unpacked(row, shapes)
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
