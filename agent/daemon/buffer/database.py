"""The one SQLite connection: opened the one way that keeps promises, every pragma read back.

WAL with synchronous=FULL survives any power cut after COMMIT returned. locking_mode=EXCLUSIVE keeps
everybody else out, needs no shared memory file (whose mapping kills the process on some full disks)
and is out of reach of SQLite's WAL-reset bug, which takes two connections.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.daemon.buffer.mending import COPY, Log
from agent.daemon.buffer.witness import sync

FORMAT = 2  # what agent.prepare.store makes
APPLICATION = 0x66706F73
PAGE_BYTES = 4096
WAL_BYTES = 4 << 20  # what a checkpoint leaves of the WAL file
AUTO_CHECKPOINT = 1000  # pages; a backstop: SQLite swallows its errors, we checkpoint earlier
CHECKPOINT_COMMITS = 100
CHECKPOINT_BYTES = 1 << 20
UNACKNOWLEDGED = 1  # transactions behind the last sound frame that nobody was promised
BUSY_S = 5.0  # somebody may be looking at the file while the daemon starts

PRAGMAS: tuple[tuple[str, str, object], ...] = (
    ("locking_mode", "exclusive", "exclusive"),
    ("journal_mode", "wal", "wal"),
    ("synchronous", "full", 2),
    ("secure_delete", "fast", 2),
    ("journal_size_limit", str(WAL_BYTES), WAL_BYTES),
    ("mmap_size", "0", 0),
    ("cell_size_check", "on", 1),
    ("trusted_schema", "off", 0),
    ("foreign_keys", "off", 0),
    ("wal_autocheckpoint", str(AUTO_CHECKPOINT), AUTO_CHECKPOINT),
)
FIXED = (("page_size", PAGE_BYTES), ("auto_vacuum", 2), ("application_id", APPLICATION))


class Unusable(Exception):
    """The database answers, but not as ours would."""


class Outdated(Exception):
    """The store has to be made, or brought to this version's format, by `prepare`."""


class Newer(Exception):
    """The store was written by a newer version; it must stay as it is."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a store may use, and how it is opened.

    Attributes:
        pages: most pages of the database.
        window_ms: the loss window.
        hardware: id of this board.
        synchronous: anything but "full" breaks promises; there for the tests that prove it.
        checkpoint_commits: fewer make short runs meet many.
    """

    pages: int
    window_ms: int
    ballast_bytes: int
    hardware: bytes
    synchronous: str = "full"
    checkpoint_commits: int = CHECKPOINT_COMMITS


def legible(text: bytes) -> str:
    """Text that a flipped bit made unreadable is not a reason to read nothing at all."""
    return text.decode(errors="replace")


class Database:
    """A connection that checkpoints itself and knows how much it wrote."""

    def __init__(self, file: Path, frame: Frame) -> None:
        self.written_bytes = 0
        self.commits = 0
        self._file = file
        self._frame = frame
        self._since_checkpoint = [0, 0]
        self._connection: sqlite3.Connection | None = None

    def open(self, *, again: bool = False) -> None:
        """Open and set up.

        Args:
            again: it is ours already; what a failed commit left in the log is known.

        Raises:
            Outdated, Newer: another format.
            Unusable: not a store of ours, or a pragma did not take.
            sqlite3.Error: what SQLite says.
        """
        if not self._file.exists():
            raise Outdated
        self._connection = sqlite3.connect(
            self._file.absolute().as_uri() + "?mode=rw",
            uri=True,
            isolation_level=None,
            timeout=BUSY_S,
        )
        self._connection.text_factory = legible
        try:
            self.rows("pragma locking_mode = exclusive")
            if not again:
                self._check_log()
            self._check_format()
            self._set_up()
        except UnicodeDecodeError as error:  # SQLite quotes a damaged schema in its message
            self.close()
            message = "its schema is damaged"
            raise Unusable(message) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go; SQLite checkpoints and removes the WAL when it can."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def rows(self, sql: str, values: Iterable[object] = ()) -> list[Any]:
        """All rows of a query."""
        return self.execute(sql, values).fetchall()

    def one(self, sql: str, values: Iterable[object] = ()) -> Any:
        """The first row of a query, or None."""
        return self.execute(sql, values).fetchone()

    def execute(self, sql: str, values: Iterable[object] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        if self._connection is None:
            message = "the store is closed"
            raise sqlite3.ProgrammingError(message)
        return self._connection.execute(sql, tuple(values))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; durable once it ended."""
        self.execute("begin immediate")
        try:
            yield
            self.execute("commit")
        except BaseException:
            if self._connection is not None and self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.rollback()
            raise

    def wrote(self, body_bytes: int) -> None:
        """Count one commit."""
        self.written_bytes += body_bytes
        self.commits += 1
        self._since_checkpoint[0] += 1
        self._since_checkpoint[1] += body_bytes

    def checkpoint_when_due(self) -> None:
        """Checkpoint after some commits or bytes.

        SQLite's own checkpoint swallows I/O errors; this one raises them.
        """
        commits, size = self._since_checkpoint
        if commits >= self._frame.checkpoint_commits or size >= CHECKPOINT_BYTES:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Move what is in the WAL into the database."""
        self._since_checkpoint = [0, 0]
        self.rows("pragma wal_checkpoint(passive)")

    def pages(self) -> tuple[int, int]:
        """Pages of the file, and how many of them are free."""
        total = self.one("pragma page_count")[0]
        return int(total), int(self.one("pragma freelist_count")[0])

    def quick_check(self, steps: int, looks: int) -> str:
        """What is wrong with the structure, "" when nothing is; gives up after a while.

        Args:
            steps: of SQLite's machine between two looks.
            looks: how many before it gives up and finds nothing.
        """
        connection = self._connection
        if connection is None:
            return ""
        budget = iter(range(looks))
        connection.set_progress_handler(lambda: next(budget, None) is None, steps)
        try:
            found = self.rows("pragma quick_check(1)")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            found = [("ok",)]
        finally:
            connection.set_progress_handler(None, 0)
        return "" if found == [("ok",)] else str(found[0][0])

    def check_table(self, table: str) -> None:
        """Whether all of a small table is seen: a flipped bit in its page's header hides rows.

        Raises:
            Unusable: something is wrong with its structure.
        """
        found = self.rows(f"pragma quick_check('{table}')")
        if found != [("ok",)]:
            raise Unusable(str(found[0][0]))

    def _check_log(self) -> None:
        """Whether SQLite reads the log to its end: behind a damaged frame it believes nothing.

        Behind the last sound frame there may be what a cut left of one transaction. More of them
        were acknowledged; so the log is kept beside, and the salvage mends it.
        """
        wal = self._file.with_name(f"{self._file.name}-wal")
        content = wal.read_bytes() if wal.exists() else b""
        if not content:
            return
        try:
            believed = max(0, self.one("pragma wal_checkpoint(passive)")[1])
        except sqlite3.Error:
            return  # a full disk takes no checkpoint, which says nothing about the log
        if Log(content).commits_after(believed) > UNACKNOWLEDGED:
            copy = wal.with_name(COPY)
            copy.write_bytes(content)
            for place in (copy, copy.parent):
                sync(place)
            message = "its write-ahead log is damaged"
            raise Unusable(message)

    def _check_format(self) -> None:
        found = int(self.one("pragma user_version")[0])
        if found < FORMAT:
            self._check_ours()
            raise Outdated
        if found > FORMAT:
            raise Newer(found)

    def _check_ours(self) -> None:
        """A database without our mark that has tables is somebody else's."""
        tables = self.one("select count(*) from sqlite_master where name not glob '*sqlite*'")[0]
        if tables and self.one("pragma application_id")[0] != APPLICATION:
            message = "it is another program's database"
            raise Unusable(message)

    def _set_up(self) -> None:
        for name, value, expected in PRAGMAS:
            wanted = self._frame.synchronous if name == "synchronous" else value
            self.rows(f"pragma {name} = {wanted}")
            answer = self.one(f"pragma {name}")[0]
            if answer != expected and wanted == value:
                message = f"{name} is {answer}"
                raise Unusable(message)
        for name, expected in FIXED:
            answer = self.one(f"pragma {name}")[0]
            if answer != expected:
                message = f"{name} is {answer}"
                raise Unusable(message)
        self.rows(f"pragma max_page_count = {self._frame.pages}")
