"""The store alone: CPU and card bytes of a reading, by how many share a commit; a backlog's drain.

    scripts/bench store [--rounds 3] [--commits 300] [--json]

commit  10, 100 and 1000 readings a commit (samples of ten, at 1000 of a hundred), each taken and
        settled before the next: new chunk in, cursor forward, delivered chunks out. In compressed
        time: no waiting in between.
        Goals at 100 and more a commit: at most 2 us of CPU per reading; at 1000 at most 16 bytes of
        page cache dirtied per reading; at 10 at most 12.5 kB a commit.
drain   a backlog of 200,000 readings, taken in batches of 1000 records and settled as fast as the
        store can: readings a second, and the memory it took. Goal: at least 50,000.
"""

import argparse
import asyncio
import json
import random
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import kit
import meters
from tables import Row, medians

from agent.clock import SystemClock
from agent.cloud import Limits, Receipt
from agent.daemon.buffer import Buffer, Lane
from agent.plan import Site
from agent.sample import Sample

POINTS = {10: 10, 100: 10, 1000: 100}  # of a sample, by readings in a commit
BACKLOG = 200_000
NAME = "cloud"
SITE = Site("bench", "bench", "UTC", 1_000_000_000, 5.0)  # the window is never waited for


class Plant:
    """Devices whose values walk: six of ten move by up to five at each reading."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.random = random.Random(42)  # noqa: S311 - the same plant in every run
        self.clock = SystemClock()
        self.values: dict[int, dict[str, int]] = {}

    def sample(self, device: int) -> Sample:
        """One poll of all registers."""
        draw = self.random
        values = self.values.setdefault(
            device, {f"tag_{n}": draw.randrange(5000) for n in range(self.points)}
        )
        for tag in values:
            if draw.random() < 0.6:
                values[tag] += draw.randint(-5, 5)
        return Sample(f"device-{device}", self.clock.now(), dict(values))


class Meter:
    """CPU, card bytes and time of this process since it was made."""

    def __init__(self) -> None:
        self.began, self.cpu, self.disk = self._read()

    def per(self, readings: int, commits: int) -> Row:
        """What it cost."""
        now, cpu, disk = self._read()
        return {
            "cpu_us_per_reading": round((cpu - self.cpu) / readings * 1e6, 2),
            "disk_B_per_reading": round((disk - self.disk) / readings, 1),
            "disk_B_per_commit": round((disk - self.disk) / commits),
            "commits_s": round(commits / (now - self.began), 1),
        }

    @staticmethod
    def _read() -> tuple[float, float, int]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        written = meters.disk(["self"])["write_bytes"]
        return time.monotonic(), used.ru_utime + used.ru_stime, written


async def fill(buffer: Buffer, samples: list[Sample]) -> None:
    """Put samples and have them committed."""
    for sample in samples:
        await buffer.put(sample)
    await buffer.flush()


async def deliver(buffer: Buffer) -> int:
    """Take everything and settle it; how many readings that was."""
    outbox, readings = buffer.outbox(NAME), 0
    while batch := await outbox.take(Limits(records=1000, readings=10_000), Lane.ANY):
        await outbox.settle(batch, Receipt(accepted=range(len(batch.records))))
        readings += batch.readings
    return readings


async def commit(buffer: Buffer, each: int, commits: int) -> Row:
    """So many commits of so many readings, each delivered before the next."""
    plant = Plant(POINTS[each])
    rounds = [[plant.sample(n) for n in range(each // plant.points)] for _ in range(commits + 20)]
    for samples in rounds[:20]:
        await fill(buffer, samples)
        await deliver(buffer)
    meter = Meter()
    for samples in rounds[20:]:
        await fill(buffer, samples)
        await deliver(buffer)
    return {"case": "commit", "readings": each, **meter.per(each * commits, commits)}


async def drain(buffer: Buffer) -> Row:
    """A backlog as an outage leaves it: one commit a second of 1000 readings."""
    plant = Plant(POINTS[1000])
    for _ in range(BACKLOG // 1000):
        await fill(buffer, [plant.sample(n) for n in range(10)])
    before = meters.memory(["self"])["rss_mb"]
    meter, began = Meter(), time.monotonic()
    readings = await deliver(buffer)
    took = time.monotonic() - began
    after = meters.memory(["self"])["rss_mb"]
    cost = meter.per(readings, 1)
    return {
        "case": "drain",
        "readings": readings,
        "drain_readings_s": round(readings / took),
        "cpu_us_per_reading": cost["cpu_us_per_reading"],
        "rss_grown_mb": round(after - before, 1),
    }


async def one(folder: Path, case: str, commits: int) -> Row:
    """One case in a fresh store."""
    buffer = Buffer(folder, SITE, SystemClock(), [NAME])
    await buffer.open()
    try:
        return await (drain(buffer) if case == "drain" else commit(buffer, int(case), commits))
    finally:
        await buffer.close()


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
    cases = (*map(str, POINTS), "drain")
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
