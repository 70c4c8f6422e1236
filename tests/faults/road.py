"""The whole way of a reading, judged from outside: real store, real uplink, real destination.

`Archive` is the far end: it knows what it really holds, whatever it answered. `Road` puts samples
whose values say which they are, and `judge` holds both against each other: everything accepted is
held over there under one name, or was judged there and is kept in sight here (I1, I3); nothing
counted as delivered before it was held (I4); all of it within the patience of the test (I7).

A `Build` other than `SOUND` has a part that is known to be bad; a test that runs it expects the
judge to object, and so proves that the judge can.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from agent.cloud import Cloud, Vitals
from agent.daemon.buffer import Buffer
from agent.daemon.buffer.opening import Build as StoreBuild
from agent.daemon.uplink import Uplink
from agent.plan import Destination
from agent.sample import Sample
from tests.daemon.buffer.parts import balanced, made, opened
from tests.daemon.twins import Reported
from tests.faults.clouds import http
from tests.lab.crashes import scratch
from tests.lab.hurry import hurried
from tests.lab.scripted import Answer, Asked, Piece, Scripted, echo, in_turn
from tests.simulation.card import Card, SimThread
from tests.simulation.clock import SimClock

EVERY_S = 10.0
HOUR_S = 3600.0
DEADLINE_S = 60.0
COUNT = 64
Identity = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Build:
    """A build of the uplink; every part that is set is known to be bad.

    Attributes:
        cloud, outbox: wrap the sound part in a bad one.
        http: settings of the HTTP destination that nobody should have.
    """

    name: str
    cloud: Callable[[Any], Any] = lambda sound: sound
    outbox: Callable[[Any], Any] = lambda sound: sound
    http: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def caught(self, findings: Sequence[str]) -> bool:
        """Whether the judge said what it must: nothing of a sound build, something of another."""
        return bool(findings) is not (self is SOUND)


SOUND = Build("sound")


@dataclass(slots=True)
class Archive:
    """What the far end really holds, and what it judged.

    Attributes:
        answered: what it said it has.
        asked_s: when each request came, on the loop's clock.
        order: the numbers of what it held, as they came.
        watch: looked at whenever a request comes.
    """

    held: dict[Identity, dict[str, Any]] = field(default_factory=dict)
    answered: set[Identity] = field(default_factory=set)
    judged: set[int] = field(default_factory=set)
    asked_s: list[float] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    watch: Callable[[], None] = lambda: None

    def __call__(self, asked: Asked) -> Iterable[Piece]:
        """The answer of a server in good health."""
        self.answered |= self.hold(asked)
        return echo(asked)

    def deaf(self, answer: Answer) -> Answer:
        """An answer that holds nothing."""

        def heard(asked: Asked) -> Iterable[Piece]:
            self.came()
            return answer(asked)

        return heard

    def mute(self, asked: Asked) -> Iterable[Piece]:
        """Holds everything, and its answer is lost."""
        self.hold(asked)
        return []

    def came(self) -> None:
        """A request is here."""
        self.asked_s.append(asyncio.get_running_loop().time())
        self.watch()

    def hold(self, asked: Asked, through: int = 1 << 60) -> set[Identity]:
        """Hold what is in a request, up to a number."""
        self.came()
        document = asked.json()
        records = [one for one in document["records"] if one["seq"] <= through]
        return {self.take(document["epoch"], one["seq"], one["values"]) for one in records}

    def take(self, epoch: str, seq: int, values: dict[str, Any]) -> Identity:
        """Hold one record."""
        name = epoch, seq
        known = self.held.setdefault(name, values)
        if known != values:
            self.wrong.append(f"I3: {name} came as {known} and as {values}")
        if name in self.answered:
            self.wrong.append(f"I3: {name} came again although it was answered for")
        self.order.append(values["n"])
        return name


class Road:
    """One destination with a backlog, and everything behind it."""

    def __init__(self, buffer: Buffer, archive: Archive, clock: SimClock) -> None:
        self.buffer = buffer
        self.archive = archive
        self.clock = clock
        self.report = Reported()
        self.put_count = 0
        archive.watch = self._look

    async def put(self, count: int, poison: Iterable[int] = ()) -> None:
        """Accept samples, numbered on; those of `poison` say so."""
        marked = set(poison)
        for number in range(self.put_count + 1, self.put_count + count + 1):
            values = {"n": number} | ({"poison": 1} if number in marked else {})
            await self.buffer.put(Sample("meter", self.clock.now(), values))
        self.put_count += count
        await self.buffer.flush()

    async def through(self, patience_s: float = HOUR_S) -> None:
        """Wait until nothing waits any more, or for so long."""
        try:
            async with asyncio.timeout(patience_s):
                while self.buffer.outbox("cloud").waiting().samples:
                    await asyncio.sleep(min(60.0, patience_s / 300))
        except TimeoutError:
            self.archive.wrong.append(f"I7: not through within {patience_s:.0f} s")

    async def judge(self) -> list[str]:
        """Everything that is wrong with how it ended."""
        archive = self.archive
        await self.buffer.views.settle()
        there: list[int] = [values["n"] for values in archive.held.values()]
        put = set(range(1, self.put_count + 1))
        shown = {
            int(each.record.values["n"])
            async for each in self.buffer.views.set_aside("cloud")
            if each.record
        }
        complaints: dict[str, set[int]] = {
            "I1: nowhere": put - {*there} - archive.judged,
            "I1: judged and out of sight": archive.judged - shown,
            "I1: set aside without a judgement": shown - archive.judged,
            "I2: nobody put": {*there} - put,
            "I3: under two names": {number for number in there if there.count(number) > 1},
        }
        archive.wrong += [
            f"{words}: {sorted(which)}" for words, which in complaints.items() if which
        ]
        if not balanced(self.buffer):
            archive.wrong.append(f"the sums do not agree: {self.buffer.facts().destinations}")
        return archive.wrong

    def _look(self) -> None:
        delivered = self.buffer.facts().destinations["cloud"].delivered
        held = sum(map(len, self.archive.held.values()))
        if delivered > held:
            self.archive.wrong.append(f"I4: {delivered} count as delivered and {held} are held")


@asynccontextmanager
async def road(
    cloud: Cloud, archive: Archive, build: Build = SOUND, kind: type[SimClock] = SimClock
) -> AsyncIterator[Road]:
    """A gateway on the loop's time, with one destination."""
    clock = kind(asyncio.get_running_loop().time)
    clock.reboot("boot-1", 0.0)
    clock.show(0, vouched=True)
    store = StoreBuild(made, thread=on_card)
    destination = Destination("cloud", "http", "x:y", EVERY_S, None, {})
    with scratch() as folder:
        async with opened(folder, clock, build=store) as buffer:
            way = Road(buffer, archive, clock)
            outbox, bad = build.outbox(buffer.outbox("cloud")), build.cloud(cloud)
            uplink = Uplink(destination, lambda: bad, outbox, way.report, clock)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(uplink.run(lambda: Vitals(1, "0.1.0", 1000)), name="up")
                yield way
                task.cancel()


def over_http(archive: Archive, script: Sequence[Answer], build: Build = SOUND, **more: Any) -> Any:
    """What is wrong after samples went to a server that answers so, and at last in good health.

    Args:
        more: `poison`, and `patience_s` until everything must be through.
    """

    async def work() -> list[str]:
        given = {"deadline_s": DEADLINE_S} | build.http
        async with (
            Scripted(in_turn([*script, archive])) as server,
            http(server.url, **given) as cloud,
            road(cloud, archive, build) as way,
        ):
            await way.put(COUNT, more.get("poison", ()))
            await way.through(more.get("patience_s", HOUR_S))
            return await way.judge()

    return hurried(work())


def on_card() -> SimThread:
    """The store's work, done on a card in order, in the loop's own time."""
    return SimThread(Card(random.Random(1)), lambda _, __: None)  # noqa: S311 - a card in order
