"""A database of which anything may be broken, opened so that the rest can be read."""

import sqlite3
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from functools import cache
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from agent.daemon.buffer import rows
from agent.daemon.buffer.codec import text_crc
from agent.daemon.buffer.database import Database, Frame, Unusable, legible
from agent.daemon.buffer.mending import PAGE_BYTES, header_flips, mend_first_page, mend_log
from agent.daemon.buffer.reading import COLUMNS, sound
from agent.daemon.buffer.tables import fullest
from agent.daemon.programs import program

T = TypeVar("T")

FRAME = Frame(pages=0, window_ms=0, ballast_bytes=0, hardware=bytes(8))  # it is only read
WINDOW_MS = 5000  # the largest loss window there is: which one it had is not known any more
FOLLOWING = f"select {COLUMNS} from chunk where seq > ? order by seq limit 1"  # noqa: S608 - constants
SCHEMA = (  # what sqlite-utils keeps there is none of ours: another version may have it otherwise
    "select type || name || tbl_name || coalesce(sql, ''), rootpage from sqlite_master"
    " where tbl_name not glob '_sqlite*'"
)
FORMAT_1 = "select count(*) > 0 from sqlite_temp_master"  # then it is read through views
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
HIGHEST = f"select {COLUMNS} from chunk order by seq desc limit 1"  # noqa: S608 - constants
FAR = 1_000_000  # a damaged row that names a higher number is not believed
UNREAD = (1 << 62, 0, b"")  # in the place of a row
ROOT = "select rootpage from sqlite_master where name = ?"

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


class Unsound(Database):
    """A connection that is asked for what may not be there."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, FRAME)
        self._connection = self._connected()

    def known(self, load: Callable[[Database], Iterable[T]]) -> list[T]:
        """Everything of one kind that can be read."""
        found: list[T] = []
        with suppress(sqlite3.Error, ValueError, TypeError):  # of text, too
            found.extend(load(self))
        return found

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, isolation_level=None)
        connection.text_factory = legible
        with suppress(*UNREADABLE):
            if connection.execute("pragma user_version").fetchone()[0] == 1:
                connection.create_function("crc_of", -1, text_crc, deterministic=True)
                for view in AS_FORMAT_2:
                    connection.execute(view)
        return connection


class Wreck(Unsound):
    """A quarantined store."""

    def __init__(self, folder: Path) -> None:
        mend_log(folder)
        super().__init__(folder / "buffer.db")
        model, first_page = new_store()
        if not self._reads_as_ours(model):
            self.close()
            mend_first_page(self._file, first_page)
            self._connection = self._connected()

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

    def best(self, table: str, load: Callable[[Database], Iterable[T]]) -> list[T]:
        """All rows of a small table, also behind a flipped bit in the header of its page.

        Every row has a CRC, so a bit that was no better flipped shows nothing.
        """
        found = self.known(load)
        try:
            self.check_table(table)
        except (sqlite3.Error, Unusable):
            for other in self._with_other_headers(table):
                found = max(found, other.known(load), key=len)
        return found

    def _with_other_headers(self, table: str) -> Iterator[Unsound]:
        roots = self.known(lambda db: db.rows(ROOT, (table,)))
        with TemporaryDirectory() as folder, suppress(OSError):
            file = Path(folder) / "flipped"
            for copy in chain(*(header_flips(self._file, root, file) for root, *_ in roots)):
                with closing(Unsound(copy)) as unsound:
                    yield unsound

    def highest(self) -> tuple[int, int]:
        """The last number and how many readings were accepted with it."""
        known = self.known(lambda db: [rows.meta(db)])
        highest = max([(0, 0), *((meta.floor - 1, meta.readings) for meta in known)])
        for row in self.known(lambda db: db.rows(HIGHEST)):
            _, last, _, _, total, *_ = row
            if sound(row) or (_numbers(last, total) and last <= highest[0] + FAR):
                highest = max(highest, (last, total))
        return highest

    def fullest(self) -> int:
        """Most readings that were accepted within one loss window."""
        recent = self.known(lambda db: [fullest(db, WINDOW_MS)])
        known = self.known(lambda db: [rows.meta(db)])
        return max([0, *recent, *(meta.fullest for meta in known)])

    def after(self, number: int) -> Any:
        """The next row; UNREAD where its page cannot be read, None at the end."""
        try:
            return self.one(FOLLOWING, (number,))
        except sqlite3.Error:
            return UNREAD


@cache
def new_store() -> tuple[Schema, bytes]:
    """Where the tables of a new store begin, and its first page."""
    with TemporaryDirectory() as folder:
        subprocess.run(program("agent.prepare.store", folder), check=True)  # noqa: S603 - ours
        file = Path(folder) / "buffer" / "buffer.db"
        with closing(sqlite3.connect(file)) as db:
            schema = dict(db.execute(SCHEMA).fetchall())
        return schema, file.read_bytes()[:PAGE_BYTES]


def _numbers(*found: object) -> bool:
    return all(isinstance(each, int) for each in found)
