"""The migration as a program of its own, sound, or broken on purpose.

    python -m tests.lab.migrating FOLDER [--build step]

`step` commits every statement of a migration by itself: what a cut leaves is then between two
formats, and nobody can go on from there.
"""

import argparse
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from agent.prepare import store


class StepByStep(Database):
    """Its transactions are none."""

    @contextmanager
    def atomic(self) -> Iterator[Database]:
        self.conn.isolation_level = None
        yield self


def step_by_step(folder: Path) -> None:
    """Migrate without a transaction."""
    file = folder / "buffer" / "buffer.db"
    db = StepByStep(sqlite3.connect(file, isolation_level=None), execute_plugins=False)
    store.steps.apply(db)
    db.conn.close()


BUILDS = {"sound": store.migrate, "step": step_by_step}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--build", choices=BUILDS, default="sound")
    wanted = parser.parse_args()
    BUILDS[wanted.build](wanted.folder)
    sys.exit(0)
