"""What SQLite's errors mean for a store: each kind is answered in its own way."""

import sqlite3
from enum import Enum


class Trouble(Enum):
    """What to do about it."""

    FULL = "full"  # make room, then the same again
    BUSY = "busy"  # somebody else holds the file
    DAMAGED = "damaged"  # into quarantine
    UNREADABLE = "unreadable"  # the same, when it stays so
    BROKEN = "broken"  # outcome unknown: reopen and write the same again


KINDS = {
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_BUSY: Trouble.BUSY,
    sqlite3.SQLITE_LOCKED: Trouble.BUSY,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_SCHEMA: Trouble.DAMAGED,
    sqlite3.SQLITE_ERROR: Trouble.DAMAGED,  # "no such table", "no such column": not our schema
    sqlite3.SQLITE_FORMAT: Trouble.DAMAGED,
    sqlite3.SQLITE_CANTOPEN: Trouble.DAMAGED,  # a directory in its place, the wrong owner
}
READING = {
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
}
PRIMARY = 0xFF  # the low byte of an extended result code


class BrokenError(Exception):
    """The disk does not take what it is given; the text says what it answered."""

    def __init__(self, text: str, kind: Trouble = Trouble.BROKEN) -> None:
        super().__init__(text)
        self.kind = kind


class FullError(Exception):
    """There is no room, and no ballast left to give."""


def kind_of(error: sqlite3.Error) -> Trouble:
    """What kind of trouble this is."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_IOERR)
    if code in READING:
        return Trouble.UNREADABLE
    return KINDS.get(code & PRIMARY, Trouble.BROKEN)


def said(error: sqlite3.Error) -> str:
    """What SQLite said, with the name of its code."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return f"{name}: {error}"
