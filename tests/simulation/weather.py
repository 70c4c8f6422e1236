"""What happens to a gateway: faults by chance, alone and together, and their ends."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from tests.simulation.card import Card
from tests.simulation.clock import SimClock
from tests.simulation.cloud import Mood, SimCloud
from tests.simulation.plant import Trouble, Wire

DAY_NS = 86_400_000_000_000
HOUR_NS = 3_600_000_000_000
DRIFT_PPM = 30.0  # of an uncompensated crystal


class Blow(StrEnum):
    """What may befall the process."""

    STOP = "stop"  # SIGTERM, and started again
    KILL = "kill -9"
    CUT = "power cut"


LIES_NS = (-400 * DAY_NS, 20 * 365 * DAY_NS, -HOUR_NS, HOUR_NS, -1_000_000_000, 90_000_000_000)
SLEEPS_S = (5.0, 70.0, 1200.0, 9 * 3600.0)  # how long a machine is suspended
SPELLS_S = (20.0, 90.0, 600.0, 3600.0, 6 * 3600.0)  # how long a fault lasts, about


@dataclass(slots=True)
class Weather:
    """Draws faults until it is told to be calm.

    Attributes:
        faults_a_day: mean.
        blow: has the process stopped, killed or cut.
        since: of each thing that is not well, when that began; the oracle looks here.
        recovered: when each thing last became well.
        said: what happened, for whoever replays a seed.
    """

    dice: random.Random
    clock: SimClock
    card: Card
    wires: dict[str, Wire]
    clouds: dict[str, SimCloud]
    faults_a_day: float
    blow: Callable[[Blow], None]
    calm: asyncio.Event = field(default_factory=asyncio.Event)
    since: dict[str, float] = field(default_factory=dict)
    recovered: dict[str, float] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    _ends: dict[str, asyncio.TimerHandle] = field(default_factory=dict)
    _boots: int = 0

    async def run(self) -> None:
        """One fault after the other, each with an end of its own."""
        while self.faults_a_day:
            await asyncio.sleep(self.dice.expovariate(self.faults_a_day / 86_400))
            if not self.calm.is_set():
                self._strike()

    def clear(self) -> None:
        """Everything is well from now on."""
        self.say("all is well")
        self.calm.set()
        for end in self._ends.values():
            end.cancel()
        self._ends.clear()
        for wire in self.wires.values():
            self.wire_turns(wire, Trouble.NONE)
        for cloud in self.clouds.values():
            self.cloud_turns(cloud, Mood.WELL)
        self.card_is_well()
        self.clock_is_right()

    def mend_card(self) -> None:
        """It takes everything again."""
        if self.card.broken:
            self.card_is_well()

    def boot(self) -> None:
        """The machine starts: its clock is right, or behind, or dead, and gets better some time."""
        self._boots += 1
        self.clock.reboot(f"boot-{self._boots:04d}", self.dice.uniform(-DRIFT_PPM, DRIFT_PPM))
        if not self.faults_a_day and self._boots > 1:
            return  # the clock shows what the script says
        kind = self.dice.random()
        if self.calm.is_set() or kind < 0.4 or not self.faults_a_day:
            self.clock_is_right()
            return
        true_ns = self.clock.true_ns
        behind_ns = self.dice.choice((-true_ns, -30_000_000_000, -DAY_NS, -400 * DAY_NS))
        self.clock.show(behind_ns, vouched=False)
        trust_s = self.dice.choice((15.0, 600.0, 7200.0, 30 * 3600.0))
        self.say(f"{self.clock.boot.id}: clock {behind_ns / 1e9:.0f} s off for {trust_s:.0f} s")
        self._later("clock", trust_s, self.clock_is_right)

    def say(self, text: str) -> None:
        day, second = divmod(asyncio.get_running_loop().time(), 86_400)
        self.said.append(f"day {day:.0f} {second:8.1f} s  {text}")

    def _strike(self) -> None:
        kinds = (
            self._hit_cloud,
            self._hit_wire,
            self._hit_process,
            self._hit_card,
            self._hit_clock,
            self._hit_machine,
        )
        self.dice.choices(kinds, (10, 6, 5, 3, 3, 2))[0]()

    def _spell_s(self) -> float:
        return self.dice.choice(SPELLS_S) * self.dice.uniform(0.5, 1.5)

    def _hit_cloud(self) -> None:
        cloud = self.clouds[self.dice.choice(list(self.clouds))]
        self.cloud_turns(cloud, self.dice.choice([m for m in Mood if m is not Mood.WELL]))
        self._later(f"cloud {cloud.name}", self._spell_s(), self.cloud_turns, cloud, Mood.WELL)

    def _hit_wire(self) -> None:
        wire = self.wires[self.dice.choice(list(self.wires))]
        trouble = self.dice.choice([t for t in Trouble if t is not Trouble.NONE])
        self.wire_turns(wire, trouble)
        spell_s = 300.0 if trouble is Trouble.FLOOD else self._spell_s()
        self._later(f"wire {wire.name}", spell_s, self.wire_turns, wire, Trouble.NONE)

    def _hit_process(self) -> None:
        self.blow(self.dice.choices(list(Blow), (2, 3, 3))[0])

    def _hit_card(self) -> None:
        kind = self.dice.random()
        if kind < 0.5:
            self.card.stall_s = self.dice.uniform(1.0, 30.0)
        elif kind < 0.8:
            self.card.errs = self.dice.uniform(0.05, 0.5)
        else:
            self.card_breaks()
        self.say(f"{self.card.state}")
        self._later("card", self.dice.uniform(10.0, 600.0), self.card_is_well)

    def _hit_clock(self) -> None:
        lie_ns = self.dice.choice(LIES_NS)
        self.say(f"clock {lie_ns / 1e9:.0f} s off")
        self.clock.show(lie_ns, vouched=self.dice.random() < 0.7)
        self._later("clock", self._spell_s(), self.clock_is_right)

    def _hit_machine(self) -> None:
        self.machine_sleeps(self.dice.choice(SLEEPS_S) * self.dice.uniform(0.5, 1.5))

    def machine_sleeps(self, seconds: float) -> None:
        """Suspended, and awake again: no timer of the process knows of it."""
        self.say(f"the machine slept for {seconds:.0f} s")
        self.clock.sleep(seconds)

    def wire_turns(self, wire: Wire, trouble: Trouble) -> None:
        name = f"wire {wire.name}"
        if wire.trouble is not trouble:
            self.say(f"{name}: {trouble}")
        wire.trouble = trouble
        self._well(name) if trouble in (Trouble.NONE, Trouble.FLOOD) else self._bad(name)

    def cloud_turns(self, cloud: SimCloud, mood: Mood) -> None:
        name = f"cloud {cloud.name}"
        if cloud.mood is not mood:
            self.say(f"{name}: {mood}")
        cloud.mood = mood
        shut = (Mood.OUT, Mood.SILENT, Mood.SHUT, Mood.MOVED, Mood.PORTAL)
        self._bad(name) if mood in shut else self._well(name)

    def card_breaks(self) -> None:
        self.card.broken = True
        self._bad("card")

    def card_is_well(self) -> None:
        self.card.heal()
        self._well("card")

    def clock_is_right(self) -> None:
        if not self.clock.right:
            self.say("clock: right")
            self.clock.show(0, vouched=True)

    def _bad(self, name: str) -> None:
        self.since.setdefault(name, asyncio.get_running_loop().time())

    def _well(self, name: str) -> None:
        if self.since.pop(name, None) is not None:
            self.recovered[name] = asyncio.get_running_loop().time()

    def _later(self, name: str, in_s: float, end: Callable[..., None], *args: object) -> None:
        if name in self._ends:
            self._ends[name].cancel()
        self._ends[name] = asyncio.get_running_loop().call_later(in_s, end, *args)
