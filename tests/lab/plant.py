"""A plant of known values, a cloud that answers in known ways, and a judge outside the agent.

Run as a program it drives the product's buffer and says on standard output what it may be held to:

    committed N        every sample up to number N is on the card
    answered A B       the cloud has numbers A to B, or has judged them
    refuge             the disk refuses, so that samples are in RAM, under an epoch of its own

    python -m tests.lab.plant FOLDER [--build NAME] [--steps N] [--restarts N]

`judge` opens what a fault left and says `ok`, or in a few words what is wrong.
"""

import argparse
import asyncio
import itertools
import os
import sqlite3
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.cloud import Batch, Limits, Receipt
from agent.daemon.buffer import Buffer, Lane
from agent.daemon.buffer.database import Frame, Newer, Outdated, Unusable
from agent.daemon.buffer.model import Cursor, Opened
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.orders import Done, Order
from agent.daemon.buffer.ranges import Settled
from agent.daemon.buffer.reading import Ask, Found
from agent.daemon.buffer.store import Store
from agent.daemon.buffer.tables import DELETE
from agent.plan import Site
from agent.prepare.store import migrate
from agent.sample import Sample, Value
from tests.daemon.buffer.parts import HandClock

SITE = Site("Plant", "plant-1", "UTC", 64 << 20, 3600.0)
FRAME = Frame(pages=4096, window_ms=1000, ballast_bytes=0, hardware=bytes(8), checkpoint_commits=8)
DEVICES = ("meter", "pump", "door")
EVERYTHING = 1 << 40
PAUSE_S = 0.003


def values_of(number: int) -> dict[str, Value]:
    """What the plant served for a number, the same for ever."""
    values: dict[str, Value] = {"count": number, "level": number % 977 / 10}
    if number % 3 == 0:
        values["on"] = number % 2 == 0
    if number % 5 == 0:
        values["state"] = f"state {number % 7}" * (1 + number % 40)
    return values


def device_of(number: int) -> str:
    """Which device served it."""
    return DEVICES[number % len(DEVICES)]


class SplitStore(Store):
    """Deletes first, and moves the cursor in a second transaction."""

    def commit(self, order: Order) -> Done:
        for first, last in order.delete:
            with self._db.transaction():
                self._db.execute(DELETE, (first, last, last, EVERYTHING))
        return super().commit(order)


@dataclass(frozen=True, slots=True)
class Bad:
    """How a build breaks its promise."""

    frame: Frame = FRAME
    store: type[Store] = Store
    early: bool = False  # says `committed` before the commit


BUILDS = {
    "sound": Bad(),
    "normal": Bad(replace(FRAME, synchronous="normal")),
    "off": Bad(replace(FRAME, synchronous="off")),
    "split": Bad(store=SplitStore),
    "early": Bad(early=True),
}


@dataclass(slots=True)
class Told:
    """What the outside has been told so far."""

    committed: int = 0
    refuge: bool = False
    answered: Settled = field(default_factory=Settled)

    @classmethod
    def of(cls, lines: Iterable[str]) -> "Told":
        told = cls()
        for line in lines:
            told.hear(line)
        return told

    def hear(self, line: str) -> None:
        word, *numbers = line.split() or [""]  # events of the log come between
        if word == "committed":
            self.committed = max(self.committed, int(numbers[0]))
        elif word == "refuge":
            self.refuge = True
        elif word == "answered":
            self.answered.add(int(numbers[0]), int(numbers[1]))


class Plant:
    """Feeds a buffer and answers for its cloud."""

    def __init__(self, buffer: Buffer, clock: HandClock, say: Callable[[str], None]) -> None:
        self._buffer = buffer
        self._clock = clock
        self._say = say
        self._next = buffer.facts().destinations["cloud"].accepted_samples + 1

    async def step(self, step: int, *, early: bool = False) -> None:
        """Some samples, a commit, and now and then an answer."""
        for _ in range(1 + step % 4):
            await self._put(urgent=step % 11 == 0)
            self._clock.tick(0.3)
        if early:
            self._say(f"committed {self._next - 1}")
        await self._buffer.flush()
        if self._buffer.facts().broken is None:
            self._say(f"committed {self._next - 1}")
        else:
            self._say("refuge")
        if step % 3 == 2:
            await self._answer(step)
        self._clock.tick(6)

    async def _put(self, *, urgent: bool) -> None:
        number, self._next = self._next, self._next + 1
        values = values_of(number)
        sample = Sample(device_of(number), self._clock.now(), values, urgent=urgent)
        await self._buffer.put(sample)

    async def _answer(self, step: int) -> None:
        outbox = self._buffer.outbox("cloud")
        for lane in (Lane.URGENT, Lane.ANY):
            batch = await outbox.take(Limits(records=9), lane)
            if batch is not None:
                receipt = _receipt(batch, step)
                for index in sorted((*receipt.accepted, *receipt.refused)):
                    number = batch.records[index].values["count"]  # in RAM the name is another
                    self._say(f"answered {number} {number}")
                await outbox.settle(batch, receipt)


def _receipt(batch: Batch, step: int) -> Receipt:
    """Everything, except that some are refused and some are not mentioned."""
    count = len(batch.records)
    refused = {0: "no such device"} if step % 4 == 1 else {}
    silent = {count - 1} if step % 5 == 2 and count > 1 else set()
    return Receipt([i for i in range(count) if i not in refused and i not in silent], refused)


async def made(folder: Path) -> None:
    migrate(folder)


async def write(folder: Path, bad: Bad, steps: Iterable[int], clock: HandClock) -> None:
    """One run of the buffer, opened and closed."""
    buffer = Buffer(folder, SITE, clock, ["cloud"], Build(made, bad.frame, bad.store))
    await buffer.open()
    plant = Plant(buffer, clock, lambda line: void(os.write(1, f"{line}\n".encode())))
    for step in steps:
        await plant.step(step, early=bad.early)
        await asyncio.sleep(PAUSE_S)  # a writer that outruns its observer hides losses
    await buffer.close()


def void(_: object) -> None:
    pass


def judge(folder: Path, told: Told) -> str:
    """Open what is there and hold it against what was told."""
    store = Store(folder, FRAME)
    clock = HandClock(mono_ns=10**15)
    try:
        opened = store.open(clock.now(), ["cloud"])
    except Outdated:
        return "ok" if not told.committed else f"lost {told.committed}"
    except (Unusable, Newer, sqlite3.Error) as error:
        return f"unreadable ({type(error).__name__}: {error})"
    cursor = next(c for c in opened.cursors if c.name == "cloud")
    found = store.read(Ask(cursor.settled, 1, EVERYTHING, EVERYTHING, EVERYTHING))
    store.close(clock.now())
    return _judged(found, opened, cursor, told)


def _judged(found: Found, opened: Opened, cursor: Cursor, told: Told) -> str:
    held = {entry[0]: entry for chunk in found.chunks for entry in chunk.entries}
    waiting = {n: e for n, e in held.items() if n not in cursor.settled}
    if found.damaged or found.incomplete:
        return "damaged"
    if any(e[1] != device_of(n) or dict(e[3]) != values_of(n) for n, e in held.items()):
        return "invented"
    return _compare(told, waiting, cursor.settled, opened.accepted.samples) or _counted(
        cursor.waiting(opened.accepted).samples,
        len(waiting),
        [] if told.refuge else opened.lives.known,
    )


def _compare(told: Told, waiting: Mapping[int, object], settled: Settled, accepted: int) -> str:
    if accepted < told.committed:
        return f"lost {told.committed - accepted} of the committed"
    for number in range(1, accepted + 1):
        if number in settled and number not in told.answered:
            return f"settled {number} without an answer"
        if number not in settled and number not in waiting:
            return f"gap at {number}"
    return ""


def _counted(counted: int, waiting: int, lives: Iterable[object]) -> str:
    if counted != waiting:
        return f"counts {counted} where {waiting} wait"
    if len(list(lives)) > 1:
        return "a new epoch without need"
    return "ok"


def main() -> int:
    """Write until the steps are done, or for ever."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--build", choices=BUILDS, default="sound")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--restarts", type=int, default=0)
    parser.add_argument("--boot", default="boot-1")
    parser.add_argument("--since", type=int, default=0, help="seconds on the clock")
    wanted = parser.parse_args()
    clock = HandClock(boot=wanted.boot)
    clock.tick(wanted.since)
    for _ in range(wanted.restarts + 1):
        steps = itertools.count() if wanted.steps is None else range(wanted.steps)
        asyncio.run(write(wanted.folder, BUILDS[wanted.build], steps, clock))
    return 0


if __name__ == "__main__":
    sys.exit(main())
