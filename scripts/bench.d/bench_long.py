"""A long life of the store in a short time: months offline, a database beyond 1 GiB, kill -9.

    scripts/bench long [--readings 130000000] [--lives 10] [--json]

A hundred devices of ten points, noise that no packing makes smaller, are put into the buffer as
fast as it commits them, a thousand readings a commit. For nine tenths the cloud is away, then it
takes everything beside what comes. The process lives ten times; every other time it is killed at a
moment of chance. What was put, committed and delivered is written down outside of it, sample by
sample, and judged at the end: whatever was committed is delivered, and twice only what the killed
process may have had under way.

One row a life: how long opening took, readings put and delivered a second, size of the database,
memory at a tenth of the life and at its end. Goals: 0 missing, memory flat, opening in seconds.

At 100 readings/s 130 million readings are fifteen days; more than 113 million make a gibibyte.
"""

import argparse
import asyncio
import json
import mmap
import random
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kit
import meters
from stored import CLOCK, NAME

from agent.cloud import Batch, Limits, Receipt
from agent.daemon.buffer import Buffer, Lane
from agent.plan import Site
from agent.sample import Sample

SITE = Site("bench", "bench", "UTC", 8_000_000_000, 5.0)
POINTS, DEVICES = 10, 100  # readings of a sample, samples of a commit
NUMBER, TAGS = "number", [f"tag_{n}" for n in range(1, POINTS)]
OFFLINE = 0.9  # of all readings
BATCH = Limits(records=2000, readings=20_000)
PUT, COMMITTED, DELIVERED = 1, 2, 4  # flags of a sample; DELIVERED is counted from there on


class Book:
    """What is known outside the process that is killed: a byte of flags for each sample.

    Attributes:
        flags: by the sample's number.
    """

    HEAD = 16

    def __init__(self, file: Path, samples: int) -> None:
        if not file.exists():
            file.write_bytes(bytes(self.HEAD + samples))
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), 0)
        self.flags = memoryview(self._map)[self.HEAD :]

    @property
    def given(self) -> int:
        """Samples put so far."""
        return int.from_bytes(self._map[:8], "little")

    @given.setter
    def given(self, count: int) -> None:
        self._map[:8] = count.to_bytes(8, "little")

    @property
    def opened_ms(self) -> int:
        """How long the last opening took; 0 while it does."""
        return int.from_bytes(self._map[8:16], "little")

    @opened_ms.setter
    def opened_ms(self, count: int) -> None:
        self._map[8:16] = count.to_bytes(8, "little")


@dataclass
class Life:
    """One process.

    Attributes:
        until: it puts samples up to this number, then drains what the cloud takes, and ends.
        online: the cloud is there.
    """

    folder: Path
    book: Book
    until: int
    online: bool
    _drained: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """From opening to closing."""
        buffer, began = Buffer(self.folder, SITE, CLOCK, [NAME]), time.monotonic()
        await buffer.open()
        self.book.opened_ms = max(1, round((time.monotonic() - began) * 1000))
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(buffer.run(), name="keeper")
            cloud = group.create_task(self._deliver(buffer), name="cloud")
            await self._collect(buffer)
            if self.online:
                await self._drained.wait()
            cloud.cancel()
            keeper.cancel()
        await buffer.close()

    async def _collect(self, buffer: Buffer) -> None:
        book, noise = self.book, random.Random(67).random  # noqa: S311 - a seed replays
        while book.given < self.until:
            first = book.given
            for number in range(first, first + DEVICES):
                book.given, book.flags[number] = number + 1, PUT
                values = {NUMBER: number} | {tag: noise() for tag in TAGS}
                await buffer.put(Sample(f"device-{number % DEVICES}", CLOCK.now(), values))
            await buffer.flush()
            for number in range(first, first + DEVICES):
                book.flags[number] |= COMMITTED

    async def _deliver(self, buffer: Buffer) -> None:
        outbox = buffer.outbox(NAME)
        while self.online:
            batch = await outbox.take(BATCH, Lane.ANY)
            if batch is None:
                if self.book.given >= self.until and not outbox.waiting().samples:
                    self._drained.set()
                await outbox.wait()
                continue
            self._receive(batch)
            await outbox.settle(batch, Receipt(accepted=range(len(batch.records))))
            await asyncio.sleep(0)

    def _receive(self, batch: Batch) -> None:
        for record in batch.records:
            number = int(record.values[NUMBER])
            self.book.flags[number] = min(255, self.book.flags[number] + DELIVERED)


class Bench:
    """The parent: it starts the lives, ends some of them, and judges."""

    def __init__(self, folder: Path, readings: int, lives: int) -> None:
        self.samples = readings // POINTS // DEVICES * DEVICES
        self.folder, self.lives = folder, lives
        self.book = Book(folder / "book", self.samples + DEVICES)
        self.dice = random.Random(67)  # noqa: S311 - a seed replays

    def live(self, number: int) -> dict[str, Any]:
        """One life, as a row."""
        until = self.samples * (number + 1) // self.lives
        online = number + 1 > OFFLINE * self.lives
        killed = number % 2 == 0 and number + 1 < self.lives
        first, delivered = self.book.given, self.judge()["delivered"]
        self.book.opened_ms, began = 0, time.monotonic()
        words = [self.folder, self.samples, until, int(online)]
        child = kit.start([sys.executable, __file__, "--one", *words], kit.GATEWAY_CORE)
        memory: list[tuple[int, float]] = []
        while child.poll() is None:
            time.sleep(self.dice.uniform(0.2, 0.6))
            memory.append((self.book.given, meters.memory([child.pid])["rss_mb"]))
            if killed and self.book.given >= until - (until - first) // 50:
                child.kill()
                child.wait()
        if child.returncode not in (0, -9):
            message = f"life {number} ended with {child.returncode}"
            raise SystemExit(message)
        seconds = time.monotonic() - began - self.book.opened_ms / 1000
        handled = self.book.given - first + self.judge()["delivered"] - delivered
        return {
            "life": number + 1,
            "ended": "kill -9" if killed else "stop",
            "put": self.book.given * POINTS,
            "opened_s": self.book.opened_ms / 1000,
            "readings_s": round(handled * POINTS / seconds),
            "database_mb": (self.folder / "store/buffer/buffer.db").stat().st_size >> 20,
            **self._memory(memory, first, until),
        }

    @staticmethod
    def _memory(seen: list[tuple[int, float]], first: int, until: int) -> dict[str, float]:
        early = [rss for given, rss in seen if given >= first + (until - first) // 10 and rss]
        return {"rss_early_mb": early[0], "rss_mb": early[-1]} if early else {}

    def judge(self) -> dict[str, int]:
        """What became of every sample so far."""
        flags = bytes(self.book.flags[: self.book.given])
        tally = {flag: flags.count(flag) for flag in set(flags)}
        return {
            "put": sum(tally.values()),
            "committed": sum(n for flag, n in tally.items() if flag & COMMITTED),
            "delivered": sum(n for flag, n in tally.items() if flag >= DELIVERED),
            "missing": sum(n for f, n in tally.items() if f & COMMITTED and f < DELIVERED),
            "twice": sum(n for flag, n in tally.items() if flag >= 2 * DELIVERED),
        }


def main() -> int:
    """Run it, and print what was found."""
    layout = argparse.RawDescriptionHelpFormatter
    p = argparse.ArgumentParser("scripts/bench long", description=__doc__, formatter_class=layout)
    p.add_argument("--readings", type=int, default=130_000_000)
    p.add_argument("--lives", type=int, default=10)
    p.add_argument("--json", action="store_true", help="one object a line")
    p.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    wanted = p.parse_args()
    if wanted.one:
        folder, samples, until, online = wanted.one
        book = Book(Path(folder) / "book", int(samples))
        asyncio.run(Life(Path(folder) / "store", book, int(until), online == "1").run())
        return 0
    folder = kit.work_dir("long")
    try:
        bench = Bench(folder, wanted.readings, wanted.lives)
        (folder / "store").mkdir()
        for number in range(wanted.lives):
            tell(bench.live(number), as_json=wanted.json)
        found = bench.judge()
        tell(found, as_json=wanted.json)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if found["missing"] else 0


def tell(row: dict[str, Any], *, as_json: bool) -> None:
    """One row."""
    rounded = {k: round(v, 2) if isinstance(v, float) else v for k, v in row.items()}
    text = json.dumps(rounded) if as_json else "   ".join(f"{k} {v}" for k, v in rounded.items())
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
