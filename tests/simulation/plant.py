"""Wires and the devices on them: every value is made up here, and known to the ledger first."""

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from agent.driver import ConnectionState, DeviceFault, DriverError, Reason, Sample, Sink
from agent.sample import Value
from tests.simulation.clock import SimClock
from tests.simulation.cloud import POISON
from tests.simulation.ledger import Ledger, Served

HIGHEST = 1000.0  # of the point `power`; what is above does not leave the gateway
FLOAT_FORMS = (0.1, 1e-300, -273.15, 12.5, 99.9999999, 5e-324)


class Trouble(StrEnum):
    """What may be wrong with a wire."""

    NONE = "none"
    GONE = "gone"  # unplugged
    BUSY = "busy"  # another program has the port
    CRASHES = "crashes"  # the driver has a bug
    ENDS = "ends"  # the driver comes back without a word
    SILENT = "silent"  # its devices do not answer
    FLOOD = "flood"  # everything ten times as often


@dataclass(slots=True)
class Wire:
    """One connection with its devices.

    Attributes:
        every_s: how often each device is read, or speaks.
        urgent, poison, bad: chances that a sample is one.
        read: when each device last had something good to say, loop's clock.
    """

    name: str
    every_s: dict[str, float]
    dice: random.Random
    urgent: float = 0.01
    poison: float = 0.004
    bad: float = 0.01
    trouble: Trouble = Trouble.NONE
    counts: dict[str, int] = field(default_factory=dict)
    read: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Driving:
    """`agent.driver.Driver` on one wire, for one process life."""

    wire: Wire
    clock: SimClock
    ledger: Ledger
    life: int
    alive: Callable[[], bool]

    async def run(self, sink: Sink) -> None:
        wire = self.wire
        loop = asyncio.get_running_loop()
        due = {name: loop.time() + wire.dice.uniform(0, 2) for name in wire.every_s}
        while self.alive():
            name = min(due, key=due.__getitem__)
            if (pause := due[name] - loop.time()) > 0:
                await asyncio.sleep(pause)
            self._stumble()
            if wire.trouble is Trouble.ENDS:
                return
            await self._poll(sink, name)
            quick = 10 if wire.trouble is Trouble.FLOOD else 1
            step = wire.every_s[name] / quick * wire.dice.uniform(0.9, 1.1)
            due[name] = max(due[name] + step, loop.time())

    def _stumble(self) -> None:
        trouble = self.wire.trouble
        if trouble is Trouble.GONE:
            raise DriverError(ConnectionState.GONE, "the adapter is gone")
        if trouble is Trouble.BUSY:
            raise DriverError(ConnectionState.BUSY, "somebody else has the port")
        if trouble is Trouble.CRASHES:
            message = "a bug in a driver"
            raise ZeroDivisionError(message)

    async def _poll(self, sink: Sink, device: str) -> None:
        if self.wire.trouble is Trouble.SILENT:
            await asyncio.sleep(0.3)
            fault = DeviceFault(Reason.NO_ANSWER, "no answer")
            sink.fault(device, None, fault)
            return
        served, said = self._made_up(sink, device)
        await sink.put(Sample(device, served.at, said, urgent=served.urgent))
        if self.alive():
            now_s = asyncio.get_running_loop().time()
            self.ledger.accept(served.key, now_s)
            self.wire.read[device] = now_s

    def _made_up(self, sink: Sink, device: str) -> tuple[Served, dict[str, Value]]:
        wire, dice = self.wire, self.wire.dice
        count = wire.counts[device] = wire.counts.get(device, 0) + 1
        said: dict[str, Value] = {"n": count, "power": dice.choice(FLOAT_FORMS) * (count % 7)}
        if count % 3 == 0:
            said["on"] = dice.random() < 0.5
        if count % 11 == 0:
            said["label"] = dice.choice(("Öl ♨", "", "🔥" * 20))
        if dice.random() < wire.poison:
            said[POISON] = "x"
        good = dict(said)
        if dice.random() < wire.bad:
            said["power"] = dice.choice((math.nan, math.inf, HIGHEST * 2))
            del good["power"]
        served = Served(
            key=(device, count),
            values=good,
            urgent=dice.random() < wire.urgent,
            at=sink.now(),
            true_ns=self.clock.true_ns,
            ran_ns=self.clock.ran_ns,
            life=self.life,
        )
        self.ledger.serve(served)
        return served, said
