"""The gateway of a simulation: its plan, and the way its drivers and destinations are opened."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from agent import plan
from agent.cloud import Cloud
from agent.daemon.health import Card, ClockFacts, Machine
from agent.daemon.plans import Applied
from agent.daemon.vitals import Vitals
from agent.driver import Driver
from agent.plan import Json
from agent.secret import Secret
from tests.simulation.clock import SimClock
from tests.simulation.kinds import Kind
from tests.simulation.plant import HIGHEST, Wire

GATEWAY = "simulated-01"


class Opener(Protocol):
    """One process life, as drivers and destinations are opened in it."""

    def driver(self, name: str) -> Driver: ...

    def cloud(self, name: str) -> Cloud: ...


_opener: list[Opener] = []  # a plan names functions, so the life that runs is found here


def opens_for(life: Opener) -> None:
    """From now on everything is opened for this life."""
    _opener[:] = [life]


def open_driver(spec: Json, secrets: Mapping[str, Secret]) -> Driver:
    del secrets
    return _opener[0].driver(spec["name"])


def open_cloud(gateway: str, spec: Json, secrets: Mapping[str, Secret]) -> Cloud:
    del gateway, secrets
    return _opener[0].cloud(spec["name"])


def another(dice: random.Random) -> random.Random:
    """Dice of its own for each part: what one draws never changes what another draws."""
    return random.Random(dice.getrandbits(64))  # noqa: S311 - a seed replays


def wires(dice: random.Random, pace: float) -> list[Wire]:
    """The plant: three connections, five devices."""
    return [
        Wire("rs485", {"meter-1": 60 * pace, "meter-2": 300 * pace}, another(dice)),
        Wire("plc", {"press": dice.choice((20, 90)) * pace}, another(dice)),
        Wire("radio", {"fridge": 400 * pace, "gate": 1500 * pace}, another(dice), urgent=0.2),
    ]


def applied(
    plant: Mapping[str, Wire], every_s: Mapping[str, float], may_lose_s: float, kind: Kind
) -> Applied:
    """A plan for these wires and destinations."""
    here = f"{__name__}:"
    running = plan.Plan(
        format=plan.FORMAT,
        origin=plan.Origin("simulation", {}),
        site=plan.Site("Simulated", GATEWAY, "UTC", kind.buffer_bytes, may_lose_s, kind.when_full),
        devices={
            device: plan.Device(
                device, "simulated", wire.name, "", seconds, enabled=True, points=_points(seconds)
            )
            for wire in plant.values()
            for device, seconds in wire.every_s.items()
        },
        connections={
            name: plan.Connection(name, "modbus-rtu", here + "open_driver", name, {"name": name})
            for name in plant
        },
        destinations={
            name: plan.Destination(
                name,
                "http",
                here + "open_cloud",
                seconds,
                keep_offline_s=kind.keep_offline_s.get(name),
                spec={"name": name},
                allows=kind.allows.get(name, plan.Allowance()),
            )
            for name, seconds in every_s.items()
        },
    )
    return Applied(1, 0, running)


def _points(every_s: float) -> dict[str, plan.Point]:
    return {
        "n": plan.Point(every_s=every_s, counter=True),
        "power": plan.Point(unit="W", every_s=every_s, high=HIGHEST),
    }


class SoundBoard(Vitals):
    """A board on which nothing is ever wrong, so that health speaks of what is simulated."""

    def __init__(self, state: Path, clock: SimClock) -> None:
        super().__init__(state, clock)
        self._watch = clock

    def look(self) -> Machine:
        self._machine = Machine(
            model="simulated",
            boot_uptime_s=int(self._watch.monotonic_s()),
            card=Card(20 * 10**9, 32 * 10**9, read_only=False),
            clock=ClockFacts(self._watch.now().trusted, 0, rtc=True),
        )
        return self._machine
