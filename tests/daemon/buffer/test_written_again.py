"""A transaction that failed once and is written again says the same as one that did not."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from agent.daemon.buffer.database import Database, Frame
from agent.daemon.buffer.lives import Life
from agent.daemon.buffer.opening import frame_of
from agent.daemon.buffer.orders import Order, Wreckage
from agent.daemon.buffer.store import Store
from agent.prepare.store import migrate
from tests.daemon.buffer.parts import SITE, HandClock

OLD = "0" * 32


class Refusing(Database):
    """The next commit fails, once."""

    refuses = False

    def execute(self, sql: str, values: Iterable[object] = ()) -> sqlite3.Cursor:
        if sql == "commit" and self.refuses:
            self.refuses = False
            raise sqlite3.OperationalError
        return super().execute(sql, values)


def test_the_names_of_a_block_that_was_reserved_at_the_second_attempt_are_told(
    tmp_path: Path,
) -> None:
    clock, made = HandClock(), list[Refusing]()

    def connect(file: Path, frame: Frame) -> Database:
        made.append(Refusing(file, frame))
        return made[-1]

    migrate(tmp_path)
    store = Store(tmp_path, frame_of(SITE), connect)
    opened = store.open(clock.now(), ["cloud"])
    made[0].refuses = True
    wreckage = Wreckage("place", last=5, lives=[Life(1, OLD, 0)], eras=[])
    order = Order([], clock.now(), cursors=opened.cursors, wreckage=wreckage)
    done = store.commit(order)
    store.close(clock.now())
    assert not made[0].refuses
    assert done.reserved is not None
    assert done.lives is not None
    assert done.lives.of(done.reserved.first).epoch == OLD
