"""The loss ledger of a daemon that has stopped, read straight from its store."""

from pathlib import Path

from sqlite_utils import Database

SUMS = """select coalesce(sum(case when exact then readings end), 0) as exact,
    coalesce(sum(case when exact then 0 else readings end), 0) as at_most from loss"""


def losses(state: Path) -> tuple[int, int]:
    """Readings given up: those counted exactly, and the upper bound of what was never numbered."""
    database = Database(state / "buffer" / "buffer.db", execute_plugins=False)
    try:
        sums = next(iter(database.query(SUMS)))
        return int(sums["exact"]), int(sums["at_most"])
    finally:
        database.close()
