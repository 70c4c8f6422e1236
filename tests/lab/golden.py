"""Stores of every format there has been, frozen as SQL: each later version has to open them.

Before the format is raised, the store of today is frozen:

    python -m tests.lab.golden tests/faults/stores/format-N
"""

import asyncio
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from agent.cloud import Limits, Receipt
from agent.daemon.buffer import Buffer, Lane
from agent.daemon.buffer.opening import Build
from tests.daemon.buffer.parts import HandClock
from tests.lab.crashes import scratch
from tests.lab.plant import FRAME, SITE, Plant, Told, made

STORES = Path(__file__).parents[1] / "faults" / "stores"
PAGES = "pragma page_size = 4096; pragma auto_vacuum = incremental; pragma journal_mode = wal;"
STEPS = (*range(12), 17, 22, 0, 1, 3, 4, 6, 7)  # of each boot; the cloud answers every third
REFUSED = 4  # every so many steps the archive refuses a sample


@dataclass(frozen=True, slots=True)
class Golden:
    """One frozen store: SQL of its tables, its witness, and what was said while it was written."""

    folder: Path

    @property
    def told(self) -> Told:
        return Told.of((self.folder / "told").read_text().splitlines())

    def lay(self, home: Path) -> Path:
        """Put it into a folder, as its version left it at a clean stop; returns the database."""
        file = home / "buffer" / "buffer.db"
        file.parent.mkdir(parents=True)
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            db.executescript(PAGES + (self.folder / "buffer.sql").read_text())
        (home / "witness").write_bytes((self.folder / "witness").read_bytes())
        return file


def goldens() -> dict[int, Golden]:
    """All that are frozen, by format."""
    return {int(place.name.removeprefix("format-")): Golden(place) for place in STORES.iterdir()}


def freeze(place: Path) -> None:
    """Write a store with everything in it that a store may hold, and keep it."""
    said: list[str] = []
    with scratch() as home:
        asyncio.run(_two_boots(home, said))
        place.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(home / "buffer" / "buffer.db")) as db:
            (place / "buffer.sql").write_text("\n".join([*_dump(db), ""]))
        (place / "witness").write_bytes((home / "witness").read_bytes())
        (place / "told").write_text("\n".join([*said, ""]))


async def _two_boots(home: Path, said: list[str]) -> None:
    clock = HandClock()
    await _boot(home, clock, ["cloud", "archive", "scada"], said)
    clock.reboot("boot-2")
    await _boot(home, clock, ["cloud", "scada"], said)


async def _boot(home: Path, clock: HandClock, names: list[str], said: list[str]) -> None:
    buffer = Buffer(home, SITE, clock, names, Build(made, FRAME))
    await buffer.open()
    plant = Plant(buffer, clock, said.append)
    for step in STEPS:
        await plant.step(step)
        if "archive" in names and step % REFUSED == 0:
            await _refused(buffer, "archive")
    await buffer.requeue.drop("scada", waiting=True, rejected=False)
    await buffer.close()


async def _refused(buffer: Buffer, name: str) -> None:
    outbox = buffer.outbox(name)
    batch = await outbox.take(Limits(records=1), Lane.ANY)
    if batch is not None:
        await outbox.settle(batch, Receipt((), {0: "no such device: größe"}))


def _dump(db: sqlite3.Connection) -> list[str]:
    pragmas = ("application_id", "user_version")
    kept = {name: db.execute(f"pragma {name}").fetchone()[0] for name in pragmas}
    return [*db.iterdump(), *(f"pragma {name} = {value};" for name, value in kept.items())]


if __name__ == "__main__":
    freeze(Path(sys.argv[1]))
