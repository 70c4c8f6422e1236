"""What really lies on the card, read from a copy of its files and not from the agent's memory."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from agent.daemon.buffer import ledger
from agent.daemon.buffer.database import Database, Frame
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.model import Cursor, LossEntry
from agent.daemon.buffer.reading import COLUMNS, unpacked
from agent.daemon.buffer.tables import Tables
from tests.simulation.cloud import Identity
from tests.simulation.ledger import Key

CHUNKS = f"select {COLUMNS} from chunk order by seq"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class View:
    """One look.

    Attributes:
        cursors: by destination.
        held: every sample that is there, by its number.
        set_aside: what each destination refused, by its name.
        losses: the ledger of losses, as it grew.
        file_bytes: of the database, its log aside.
        readings: how many the store says it has accepted.
    """

    cursors: dict[str, Cursor]
    held: dict[int, Key]
    set_aside: dict[str, set[Identity]]
    losses: list[LossEntry]
    file_bytes: int
    readings: int

    def lost(self, destination: str, number: int) -> bool:
        """Whether the ledger names this number."""
        return any(
            loss.destination == destination and loss.exact and loss.first <= number <= loss.last
            for loss in self.losses
        )

    def given_up(self, destination: str) -> int:
        """Readings that the ledger counts one by one."""
        mine = (loss for loss in self.losses if loss.destination == destination and loss.exact)
        return sum(loss.count.readings for loss in mine)

    def unclean(self, destination: str) -> int:
        """Most readings that unclean stops have cost, as the ledger says."""
        mine = (loss for loss in self.losses if loss.destination == destination)
        return sum(loss.count.readings for loss in mine if loss.reason is Loss.UNCLEAN_STOP)


def view(home: Path) -> View:
    """Look at the store of a gateway that is not running, or has just died."""
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        folder = Path(shutil.copytree(home / "buffer", Path(scratch) / "buffer"))
        db = Database(folder / "buffer.db", Frame(1 << 20, 1000, 0, bytes(8)))
        db.open()
        try:
            return _read(db, (folder / "buffer.db").stat().st_size)
        finally:
            db.close()


def _read(db: Database, size: int) -> View:
    tables = Tables(db)
    cursors = {cursor.name: cursor for cursor in tables.load()}
    held = {}
    for row in db.rows(CHUNKS):
        for number, device, _, values in unpacked(row, tables.shapes.by_id).entries:
            count = values.get("n")
            held[number] = (device, count if type(count) is int else -1)
    set_aside: dict[str, set[Identity]] = {name: set() for name in cursors}
    for name, epoch, seq in db.rows("select destination, epoch, seq from rejected"):
        set_aside.setdefault(name, set()).add((epoch, seq))
    losses = [loss for _, loss in ledger.losses(db)]
    return View(cursors, held, set_aside, losses, size, tables.accepted.readings)
