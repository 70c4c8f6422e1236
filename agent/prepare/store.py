"""Make the store's tables, or bring an older store to this version, before the daemon opens it.

Migrations run forward only. Each is one transaction, so a power cut leaves the step before or the
step after; the next run goes on from there. The format (`user_version`) is raised last.
"""

import os
import sqlite3
import sys
import zlib
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database, Migrations

from agent.errors import FieldpostError

FORMAT = 2  # the daemon refuses any other: agent.daemon.buffer.database.FORMAT
APPLICATION = 0x66706F73  # "fpos", in the file's header: tells our stores from other databases
PAGE_BYTES = 4096  # a block of the card: a torn one never hits a neighbour that is not in the WAL
DONE, FAILED, DAMAGED = 0, 1, 2  # the daemon puts a damaged one aside: agent.daemon.buffer.maker
OF_THE_FILE = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

steps = Migrations("fieldpost")

TABLES = (
    # no secondary index on ordinary rows: each would cost more bytes than the rows themselves
    """create table chunk (seq integer primary key, last integer not null, samples integer not null,
       readings integer not null, total integer not null, first_ms integer not null,
       last_ms integer not null, boot integer not null, lane integer not null,
       codec integer not null, crc integer not null, body blob not null)""",
    "create index chunk_lane on chunk (lane, seq) where lane > 0",
    "create table shape (id integer primary key, device text, points text, crc integer)",
    """create table boot (id integer primary key, boot_id text, started_running_ns integer,
       started_mono_ns integer, anchors text, crc integer)""",
    """create table life (first integer primary key, epoch text, shift integer, reason text,
       crc integer)""",
    """create table destination (name text primary key, through integer, ranges text,
       since integer, since_readings integer, counts text, configured integer, crc integer)
       without rowid""",
    """create table rejected (id integer primary key, destination text, epoch text, seq integer,
       at_ms integer, reason text, readings integer, body text)""",
    "create unique index rejected_name on rejected (destination, epoch, seq)",
    """create table loss (id integer primary key, destination text, epoch text, first integer,
       last integer, samples integer, readings integer, from_ms integer, to_ms integer,
       reason text, exact integer, reported integer)""",
    """create table rescue (place text primary key, first integer, numbers integer,
       through integer, eras text, crc integer)""",
    """create table meta (id integer primary key check (id = 1), floor integer, readings integer,
       repeated integer, starts integer, running_ns integer, fullest integer, minutes integer,
       quarters integer, crc integer)""",
)

KNOWN = "name, through, ranges, since, since_readings, counts, configured"
NO_BIT_CAN_LIE = (
    "alter table rejected add column crc integer",
    """update rejected set crc =
       crc_of(destination, epoch, seq, at_ms, reason, readings, body)""",
    "alter table loss add column crc integer",
    """update loss set crc = crc_of(destination, epoch, first, last, samples, readings, from_ms,
       to_ms, reason, exact)""",
    "alter table destination rename to destination_1",
    """create table destination (name text primary key, through integer, ranges text,
       since integer, since_readings integer, counts text, configured integer, resend integer,
       crc integer) without rowid""",
    f"""insert into destination select {KNOWN}, 0, crc_of({KNOWN}, 0) from destination_1
       where crc = crc_of({KNOWN})""",  # noqa: S608 - constants
    f"""insert into destination select '-' || {KNOWN}, 0, crc from destination""",  # noqa: S608 - constants
    "insert into shape select -id, device, points, crc from shape",
    """insert into boot select -id, boot_id, started_running_ns, started_mono_ns, anchors, crc
       from boot""",
    "insert into life select -first, epoch, shift, reason, crc from life",
    "drop table destination_1",
)


@steps()
def m001_tables(db: Database) -> None:
    """Format 1: chunks, shapes, cursors, what was set aside, the loss ledger, boots."""
    for statement in TABLES:
        db.execute(statement)
    db.execute(f"pragma application_id = {APPLICATION}")
    db.execute("pragma user_version = 1")


@steps()
def m002_no_bit_can_lie(db: Database) -> None:
    """Format 2: set-aside samples and ledger lines have a CRC, what many samples need has a twin.

    A resend survives a stop: a cursor knows how far it has to go.

    A cursor whose CRC was wrong is left out: the daemon would not have believed it either.
    """
    db.conn.create_function("crc_of", -1, _crc, deterministic=True)
    for statement in NO_BIT_CAN_LIE:
        db.execute(statement)
    db.execute("pragma user_version = 2")


def _crc(*columns: object) -> int:
    """As the daemon computes it over the columns of a small row."""
    return zlib.crc32(repr(columns).encode())


class DamagedStoreError(FieldpostError):
    """What lies there is no store that a migration could begin with."""


def migrate(folder: Path) -> None:
    """Bring the store in this folder to FORMAT; makes it where there is none.

    Raises:
        DamagedStoreError: the fault is in the store itself, and would be there again.
        FieldpostError: it cannot be made or changed; somebody may have it open, or it was written
            by a newer version, which is the only one to touch it then.
    """
    home = folder / "buffer"
    try:
        home.mkdir(mode=0o750, parents=True, exist_ok=True)
        _apply(home / "buffer.db")
        for place in (home, folder):
            _sync(place)
    except (OSError, sqlite3.Error) as error:
        message = f"the store in {folder} cannot be made: {error}"
        of_the_file = getattr(error, "sqlite_errorcode", None) in OF_THE_FILE
        raise (DamagedStoreError if of_the_file else FieldpostError)(message) from error


def _apply(file: Path) -> None:
    db = Database(file, execute_plugins=False)
    with closing(db.conn):
        db.conn.execute("pragma locking_mode = exclusive")
        if (found := db.conn.execute("pragma user_version").fetchone()[0]) > FORMAT:
            message = f"the store {file} was written by a newer version (format {found})"
            raise FieldpostError(message, action="Install that version again")
        db.conn.execute(f"pragma page_size = {PAGE_BYTES}")
        db.conn.execute("pragma auto_vacuum = incremental")
        db.conn.execute("pragma journal_mode = wal").fetchall()
        db.conn.execute("pragma synchronous = full")
        steps.apply(db)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def main() -> int:
    """Run by the daemon as a child: `python -m agent.prepare.store FOLDER`."""
    try:
        migrate(Path(sys.argv[1]))
    except FieldpostError as error:
        sys.stderr.write(f"{error.message}\n")
        return DAMAGED if isinstance(error, DamagedStoreError) else FAILED
    return DONE


if __name__ == "__main__":
    sys.exit(main())
