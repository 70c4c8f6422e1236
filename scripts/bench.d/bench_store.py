"""The store alone: CPU and card bytes of a reading, by how many share a commit; a backlog's drain.

    scripts/bench store [--rounds 3] [--commits 300] [--json]

cycle   the store itself, on the thread that owns it, at 10, 100 and 1000 readings a commit (samples
        of ten, at 1000 of a hundred): number, pack and write them, cursor forward, delivered chunks
        out, all in one durable commit; delivery lags two commits behind. In compressed time: no
        waiting in between. Goal at 100 and more a commit: at most 2 us of CPU per reading.
paced   the same as the daemon has it done, were it a commit a second: the cursor with every tenth
        commit, deletes with every sixtieth, which costs the card less.
commit  the same samples through the whole buffer: put by the event loop, written by the thread,
        taken and settled by the event loop before the next; cursors and deletes when they are due,
        as in the daemon. Goals: at 1000 at most 16 bytes of page cache dirtied per reading; at 10
        at most 12.5 kB a commit.
        Stretches of all three alternate with the floor: the same samples as JSON in one row and one
        durable commit, on the same thread, with nothing promised.
drain   a backlog of 200,000 readings, taken in batches of 1000 records and settled as fast as the
        store can: readings a second, and the memory it took. Goal: at least 50,000.
"""

import argparse
import asyncio
import gc
import json
import shutil
import sqlite3
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kit
import meters
import orjson
from stored import CLOCK, NAME, Plant, deliver, fill
from tables import Row, medians

from agent.daemon.buffer import Buffer
from agent.daemon.buffer.model import Cursor
from agent.daemon.buffer.opening import frame_of
from agent.daemon.buffer.orders import Order
from agent.daemon.buffer.store import Store
from agent.plan import Site
from agent.sample import Sample

POINTS = {10: 10, 100: 10, 1000: 100}  # of a sample, by readings in a commit
BACKLOG = 200_000
STRETCH = 20  # commits between turns
CHECKPOINT_COMMITS = 100
PACES = {"cycle": (1, 1), "paced": (10, 60)}  # commits from cursor to cursor, delete to delete
LAG = 2  # commits that delivery is behind, as it is when the cloud is there
SITE = Site("bench", "bench", "UTC", 1_000_000_000, 5.0)  # the window is never waited for


class Meter:
    """CPU, card bytes and time of this process while it was on."""

    def __init__(self) -> None:
        self.spent = [0.0, 0.0, 0.0]

    @contextmanager
    def on(self) -> Iterator[None]:
        """Count what happens meanwhile."""
        before = self._read()
        yield
        steps = zip(self.spent, self._read(), before, strict=True)
        self.spent = [spent + now - then for spent, now, then in steps]

    def per(self, readings: int, commits: int) -> Row:
        """What it cost."""
        seconds, cpu, disk = self.spent
        return {
            "cpu_us_per_reading": round(cpu / readings * 1e6, 2),
            "disk_B_per_reading": round(disk / readings, 1),
            "disk_B_per_commit": round(disk / commits),
            "commits_s": round(commits / seconds, 1),
        }

    @staticmethod
    def _read() -> tuple[float, float, float]:
        written = meters.disk(["self"])["write_bytes"]
        return time.monotonic(), time.process_time(), written


class Floor:
    """The least that a durable commit can cost here and now: JSON, one row, no thread, no promise.

    Attributes:
        meter: counts it.
    """

    def __init__(self, file: Path) -> None:
        self.meter = Meter()
        self._commits = 0
        self._db = sqlite3.connect(file, isolation_level=None)
        for pragma in ("locking_mode=exclusive", "journal_mode=wal", "synchronous=full"):
            self._db.execute(f"pragma {pragma}").fetchall()
        self._db.execute("create table chunk (seq integer primary key, body blob)")

    def commit(self, samples: list[Sample]) -> None:
        """One row; those before the last checkpoint go with the next."""
        self._commits += 1
        body = orjson.dumps([(s.device, s.at.mono_ns, list(s.values.values())) for s in samples])
        self._db.execute("begin immediate")
        self._db.execute("insert into chunk values (?, ?)", (self._commits, body))
        if self._commits % CHECKPOINT_COMMITS == 0:
            self._db.execute("delete from chunk where seq < ?", (self._commits,))
        self._db.execute("commit")
        if self._commits % CHECKPOINT_COMMITS == 0:
            self._db.execute("pragma wal_checkpoint(passive)").fetchall()


class Cycle:
    """One commit after the other on an open store.

    Args:
        cursor: where the one destination is.
        accepted: the highest number that was given out.
        pace: a cursor with every so manieth commit, deletes with every so manieth.
    """

    def __init__(self, store: Store, cursor: Cursor, accepted: int, pace: tuple[int, int]) -> None:
        self._store = store
        self._cursor = cursor
        self._ends = [accepted] * LAG
        self._pace = pace
        self._commits = 0

    async def commit(self, samples: list[Sample]) -> None:
        """New chunk in, cursor forward, what is delivered out."""
        self._commits += 1
        cursors, deletes = (self._commits % every == 0 for every in self._pace)
        through = self._ends.pop(0)
        self._cursor.settled.add(1, through)
        order = Order(samples, CLOCK.now(), through)
        if cursors:
            order.cursors = [self._cursor]
        if deletes:
            order.delete = [(1, through)]
        self._ends.append(self._store.commit(order).accepted.samples)


async def measured(
    case: str,
    each: int,
    commits: int,
    floor: Floor,
    work: Callable[[list[Sample]], Awaitable[None]],
) -> Row:
    """So many commits of so many readings, in turns with the floor."""
    plant = Plant(POINTS[each])
    rounds = [[plant.sample(n) for n in range(each // plant.points)] for _ in range(commits)]
    for samples in rounds[:STRETCH]:
        await work(samples)
    gc.freeze()  # the samples made in advance are the bench's, not the store's to look through
    meter, ratios = Meter(), []
    for first in range(0, commits, STRETCH):
        stretch = rounds[first : first + STRETCH]
        before, least = meter.spent[1], floor.meter.spent[1]
        with floor.meter.on():
            for samples in stretch:
                floor.commit(samples)
        with meter.on():
            for samples in stretch:
                await work(samples)
        ratios.append((meter.spent[1] - before) / (floor.meter.spent[1] - least))
    return {
        "case": case,
        "readings": each,
        **meter.per(each * commits, commits),
        "floor_cpu_us_per_reading": floor.meter.per(each * commits, commits)["cpu_us_per_reading"],
        "x_floor": round(statistics.median(ratios), 2),
    }


async def drain(buffer: Buffer) -> Row:
    """A backlog as an outage leaves it: one commit a second of 1000 readings."""
    plant = Plant(POINTS[1000])
    for _ in range(BACKLOG // 1000):
        await fill(buffer, [plant.sample(n) for n in range(10)])
    before = meters.memory(["self"])["rss_mb"]
    meter = Meter()
    with meter.on():
        readings = await deliver(buffer)
    after = meters.memory(["self"])["rss_mb"]
    return {
        "case": "drain",
        "readings": readings,
        "drain_readings_s": round(readings / meter.spent[0]),
        "cpu_us_per_reading": meter.per(readings, 1)["cpu_us_per_reading"],
        "rss_grown_mb": round(after - before, 1),
    }


async def alone(folder: Path, case: str, each: int, commits: int) -> Row:
    """The store without the buffer around it; the buffer only makes it."""
    buffer = Buffer(folder, SITE, CLOCK, [NAME])
    await buffer.open()
    await buffer.close()
    store = Store(folder, frame_of(SITE))
    opened = store.open(CLOCK.now(), [NAME])
    work = Cycle(store, opened.cursors[0], opened.accepted.samples, PACES[case])
    try:
        return await measured(case, each, commits, Floor(folder / "floor.db"), work.commit)
    finally:
        store.close(CLOCK.now())


async def whole(folder: Path, case: str, each: int, commits: int) -> Row:
    """The buffer as the daemon has it, on the event loop."""
    buffer = Buffer(folder, SITE, CLOCK, [NAME])

    async def work(samples: list[Sample]) -> None:
        await fill(buffer, samples)
        await deliver(buffer)

    await buffer.open()
    try:
        if case == "drain":
            return await drain(buffer)
        return await measured(case, each, commits, Floor(folder / "floor.db"), work)
    finally:
        await buffer.close()


async def one(folder: Path, case: str, commits: int) -> Row:
    """One case in a fresh store."""
    name, _, each = case.partition("-")
    if name in PACES:
        return await alone(folder, name, int(each), commits)
    return await whole(folder, name, int(each or 0), commits)


def main() -> int:
    """Cases interleaved, each in a process of its own; medians on standard error."""
    layout = argparse.RawDescriptionHelpFormatter
    p = argparse.ArgumentParser("scripts/bench store", description=__doc__, formatter_class=layout)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--commits", type=int, default=300)
    p.add_argument("--json", action="store_true", help="one object a line on standard output")
    p.add_argument("--one", help=argparse.SUPPRESS)
    wanted = p.parse_args()
    if wanted.one:
        folder = kit.work_dir(f"store-{wanted.one}")
        try:
            print(json.dumps(asyncio.run(one(folder, wanted.one, wanted.commits))), flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return 0
    cases = [f"{name}-{each}" for each in POINTS for name in (*PACES, "commit")] + ["drain"]
    rows = [_child(case, wanted) for _ in range(wanted.rounds) for case in cases]
    kit.say("medians\n" + medians(rows, ["case", "readings"]))
    return 0


def _child(case: str, wanted: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", case, "--commits", wanted.commits]
    child = kit.start(command, kit.GATEWAY_CORE, stdout=-1, text=True)
    out, _ = child.communicate(timeout=600)
    if child.returncode:
        message = f"{case} failed"
        raise SystemExit(message)
    if wanted.json:
        print(out, end="", flush=True)
    return dict(json.loads(out))


if __name__ == "__main__":
    sys.exit(main())
