"""A store in a folder, a clock that only tests move, and samples."""

import json
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.clock import Clock
from agent.cloud import Batch, Limits, Receipt, Record
from agent.daemon.buffer import Buffer, Lane, Outbox
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.salvage import lines
from agent.plan import Json, Site
from agent.prepare.store import migrate
from agent.sample import Instant, Sample, Value

WALL_NS = 1_795_000_000_000_000_000
SITE = Site("Barn", "barn-1", "UTC", 64 << 20, 0.01)


@dataclass
class HandClock:
    """Time moves when a test says so."""

    boot: str = "boot-1"
    mono_ns: int = 1_000_000_000
    wall_ns: int = WALL_NS
    trusted: bool = True

    def now(self) -> Instant:
        return Instant(self.boot, self.mono_ns, self.wall_ns, self.trusted)

    def monotonic_s(self) -> float:
        return self.mono_ns / 1e9

    def tick(self, seconds: float) -> None:
        self.mono_ns += int(seconds * 1e9)
        self.wall_ns += int(seconds * 1e9)

    def reboot(self, boot: str) -> None:
        self.boot, self.mono_ns = boot, 1_000_000_000


async def made(folder: Path) -> None:
    migrate(folder)


@asynccontextmanager
async def opened(
    folder: Path,
    clock: Clock,
    destinations: Sequence[str] = ("cloud",),
    site: Site = SITE,
    build: Build | None = None,
) -> AsyncIterator[Buffer]:
    buffer = Buffer(folder, site, clock, destinations, build or Build(made))
    await buffer.open()
    try:
        yield buffer
    finally:
        await buffer.close()


def sample(clock: Clock, value: Value, *, device: str = "meter", urgent: bool = False) -> Sample:
    return Sample(device, clock.now(), {"power": value}, urgent=urgent)


async def put(buffer: Buffer, clock: HandClock, *values: Value, device: str = "meter") -> None:
    """Accept a sample per value, 100 ms apart, and wait until all are committed."""
    for value in values:
        await buffer.put(sample(clock, value, device=device))
        clock.tick(0.1)
    await buffer.flush()


async def set_aside(home: Path, clock: HandClock, into: Path, *values: int) -> None:
    """A store with samples nobody had, as it lies in the quarantine of another."""
    async with opened(home, clock) as buffer:
        await put(buffer, clock, *values)
    place = into / "quarantine" / "0001"
    place.parent.mkdir()
    shutil.move(home / "buffer", place)
    shutil.copy(home / "witness", place / "witness")


async def salvaged_here(place: Path, after: int) -> AsyncIterator[Json]:
    """Without a child."""
    for line in lines(place, after):
        yield json.loads(line)


async def take(outbox: Outbox, lane: Lane = Lane.ANY, limits: Limits | None = None) -> list[Record]:
    batch = await outbox.take(limits or Limits(), lane)
    return list(batch.records) if batch else []


async def drain(outbox: Outbox, limits: Limits | None = None) -> list[Record]:
    """Take and accept until nothing is left."""
    records: list[Record] = []
    while batch := await outbox.take(limits or Limits(), Lane.ANY):
        records += batch.records
        await outbox.settle(batch, Receipt(range(len(batch.records))))
    return records


def powers(records: Sequence[Record]) -> list[Value]:
    return [record.values["power"] for record in records]


def batch_of(records: Sequence[Record]) -> Batch:
    return Batch(records)


def balanced(buffer: Buffer) -> bool:
    """Whether the sums of every destination agree."""
    return all(
        d.accepted == d.delivered + d.rejected + d.lost + d.waiting
        and min(d.waiting, d.rejected) >= 0
        for d in buffer.facts().destinations.values()
    )
