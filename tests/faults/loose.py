"""Connections that are set up in another way than ours, and say that they are not: bad builds."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from agent.daemon.buffer.database import Database, Frame
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.store import Store
from tests.daemon.buffer.parts import made


class Loose(Database):
    """Sets some pragmas to another value than it is asked to.

    Attributes:
        instead: by pragma, what is asked for and what is set.
    """

    instead: ClassVar[dict[str, tuple[str, str]]] = {}

    def rows(self, sql: str, values: Iterable[object] = ()) -> list[Any]:
        for name, (asked, done) in self.instead.items():
            sql = sql.replace(f"pragma {name} = {asked}", f"pragma {name} = {done}")
        return super().rows(sql, values)

    def one(self, sql: str, values: Iterable[object] = ()) -> Any:
        name = sql.removeprefix("pragma ")
        return (self.instead[name][0],) if name in self.instead else super().one(sql, values)


class Shared(Loose):
    """Lets everybody else in."""

    instead: ClassVar = {"locking_mode": ("exclusive", "normal")}


class Rollback(Loose):
    """Makes a journal of its own for each transaction, as SQLite does unless it is told."""

    instead: ClassVar = {
        "locking_mode": ("exclusive", "normal"),
        "journal_mode": ("wal", "delete"),
    }


def built(kind: type[Database]) -> Build:
    """A build on such a connection."""

    def store(home: Path, frame: Frame) -> Store:
        return Store(home, frame, kind)

    return Build(made, store=store)
