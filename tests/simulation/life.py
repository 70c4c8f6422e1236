"""One life of the daemon's process in the simulated world: start, work, stop or die."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from agent.cloud import Cloud
from agent.daemon.buffer import Outbox
from agent.daemon.buffer.database import Frame
from agent.daemon.buffer.opening import Build, frame_of
from agent.daemon.gateway import Gateway
from agent.daemon.plans import Applied
from agent.daemon.rounds import Progress
from agent.daemon.uplink import Uplink
from agent.driver import Driver
from agent.plan import Plan
from agent.prepare.store import migrate
from tests.simulation.card import Card, SimStore, SimThread, left_behind
from tests.simulation.clock import SimClock
from tests.simulation.cloud import Line, SimCloud
from tests.simulation.ledger import Ledger
from tests.simulation.plant import Driving, Wire
from tests.simulation.site import SoundBoard, opens_for

LOOK_S = 300.0  # the daemon looks more often; its reports are the dearest part of a simulated day
STUCK_S = 30.0  # well within the time the watchdog waits to be fed


@dataclass(frozen=True, slots=True)
class Flaw:
    """A build of the agent; every field that is set is known to be bad, and must be caught.

    Attributes:
        store, cloud, outbox, driver, clock: what is put in place of the sound part.
        plan: spoils the settings that the agent is given; the judge knows the right ones.
        synchronous: of the database; anything but "full" forgets in a power cut.
    """

    store: type[SimStore] = SimStore
    cloud: Callable[[Cloud], Cloud] | None = None
    outbox: Callable[[Outbox], Any] | None = None
    driver: Callable[[Driver], Driver] | None = None
    clock: type[SimClock] = SimClock
    plan: Callable[[Plan], Plan] | None = None
    synchronous: str = "full"


SOUND = Flaw()


class Surrounding(Protocol):
    """The part of the world a process life can touch."""

    folder: Path
    clock: SimClock
    card: Card
    ledger: Ledger
    wires: dict[str, Wire]
    clouds: dict[str, SimCloud]
    applied: Applied
    flaw: Flaw

    def committed(self, args: tuple[object, ...], result: object) -> None:
        """A piece of the store's work is done."""
        ...

    def looked(self, stuck: str | None) -> None:
        """Health has looked round; `stuck` is what the watchdog would say."""
        ...


class Life:
    """From exec to the end of the process, however it comes."""

    def __init__(self, world: Surrounding, number: int) -> None:
        self.number = number
        self.alive = True
        self.running = False
        self._world = world
        self._stores: list[SimStore] = []
        self._stop = asyncio.Event()
        self._thread = SimThread(world.card, world.committed)
        applied = world.applied
        if world.flaw.plan is not None:
            applied = replace(applied, plan=world.flaw.plan(applied.plan))
        frame = replace(frame_of(applied.plan.site), synchronous=world.flaw.synchronous)
        build = Build(_make, frame, self._store, lambda: self._thread)
        opens_for(self)
        self.gateway = Gateway(applied, world.folder, world.folder, world.clock, build)
        self.gateway.vitals = SoundBoard(world.folder, world.clock)

    def driver(self, name: str) -> Driver:
        world = self._world
        driving: Driver = Driving(
            world.wires[name], world.clock, world.ledger, self.number, lambda: self.alive
        )
        return world.flaw.driver(driving) if world.flaw.driver else driving

    def cloud(self, name: str) -> Cloud:
        line: Cloud = Line(self._world.clouds[name], lambda: self.alive)
        return self._world.flaw.cloud(line) if self._world.flaw.cloud else line

    async def run(self) -> None:
        """As `agent.daemon.app` runs it, without files, sockets and signals."""
        gateway = self.gateway
        await gateway.open()
        self._spoil()
        self.running = True
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    *(group.create_task(s.run(), name=n) for n, s in gateway.supervisors.items()),
                    *(
                        group.create_task(u.run(gateway.vitals.beat), name=n)
                        for n, u in gateway.uplinks.items()
                    ),
                    group.create_task(gateway.buffer.run(), name="store"),
                    group.create_task(self._rounds(), name="rounds"),
                ]
                await self._stop.wait()
                for task in tasks:
                    task.cancel()
        finally:
            self.running = False
            if self.alive:
                await gateway.buffer.close()

    def stop(self) -> None:
        """SIGTERM."""
        self._stop.set()

    def kill(self, *, finish: bool, synced_only: bool) -> float:
        """kill -9, or a power cut; returns since when nothing had been committed.

        Args:
            finish: what the card had begun arrives all the same.
            synced_only: what was not synced does not survive.
        """
        loop_s = asyncio.get_running_loop().time()
        since_s = self._thread.busy_since_s or loop_s
        self._thread.die(finish=finish)
        self.alive = self.running = False
        for store in self._stores:
            left_behind(store, synced_only=synced_only)
        held = self.gateway.buffer._lock  # noqa: SLF001 - the kernel lets go of a dead process's lock
        if held is not None:
            os.close(held)
        return since_s

    def progress(self) -> Progress:
        """What the watchdog looks at."""
        gateway = self.gateway
        return Progress(
            gateway.clock,
            lambda: gateway.buffer.facts().uncommitted_age_s,
            gateway.uplinks,
            gateway.to_send,
        )

    async def _rounds(self) -> None:
        progress = self.progress()
        while True:
            self.gateway.vitals.look()
            self.gateway.health.look(self.gateway.surroundings())
            stuck = progress.stuck()
            if stuck:  # as after a sleep of the machine: the watchdog is fed a little later
                await asyncio.sleep(STUCK_S)
                stuck = progress.stuck()
            self._world.looked(stuck)
            await asyncio.sleep(LOOK_S)

    def _spoil(self) -> None:
        """Put a bad outbox in the place of each sound one, where this build has such."""
        spoilt = self._world.flaw.outbox
        if spoilt is None:
            return
        gateway = self.gateway
        for name, destination in gateway.plan.destinations.items():
            outbox = spoilt(gateway.buffer.outbox(name))
            opens = partial(self.cloud, name)
            sound = gateway.health, gateway.clock
            gateway.uplinks[name] = Uplink(destination, opens, outbox, *sound)

    def _store(self, home: Path, frame: Frame) -> SimStore:
        flaw = self._world.flaw
        store = flaw.store(home, frame, self._world.card)
        self._stores.append(store)
        return store


async def _make(folder: Path) -> None:
    """In this process: a child would live in real time."""
    migrate(folder)
