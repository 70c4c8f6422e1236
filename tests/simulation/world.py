"""The simulated world: one gateway, its plant, its clouds, its weather, and the judge of it all."""

import asyncio
import contextlib
import random
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.cloud import Limits
from agent.daemon.buffer.facts import Loss
from tests.simulation.card import Card
from tests.simulation.cloud import SimCloud
from tests.simulation.honesty import Honesty
from tests.simulation.kinds import Kind, drawn
from tests.simulation.ledger import Ledger
from tests.simulation.life import SOUND, Flaw, Life
from tests.simulation.loop import VirtualLoop
from tests.simulation.oracle import Oracle
from tests.simulation.policies import Policies
from tests.simulation.site import another, applied, wires
from tests.simulation.view import View, view
from tests.simulation.weather import Blow, Weather

DAY_S = 86_400.0
BACK_OFF_S = 300.0  # the longest of the uplink and of the supervisor
WISH_S = 3600.0  # the longest Retry-After that is honoured
LIVENESS_S = 60.0
STOP_S = 30.0  # SIGTERM to the end, with everything committed
RESTART_S = (1.0, 20.0)
DARK_S = (3.0, 60.0, 3600.0, 30 * 3600.0)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What one seed runs.

    Attributes:
        pace: how much slower than usual everything is read (less work for a simulated day).
        kind: of gateway; None: by chance.
        script: what happens at which second; for what chance has found once.
    """

    seed: int
    days: float
    faults_a_day: float = 40.0
    pace: float = 1.0
    flaw: Flaw = SOUND
    kind: Kind | None = None
    script: Sequence[tuple[float, Callable[["World"], None]]] = ()


class World:
    """Everything outside the agent, and the agent's lives one after the other."""

    def __init__(self, scenario: Scenario, folder: Path, loop: VirtualLoop) -> None:
        dice = random.Random(scenario.seed)  # noqa: S311 - a seed replays
        self.scenario = scenario
        self.folder = folder
        self.flaw = scenario.flaw
        self.may_lose_s = dice.choice((0.0, 0.3, 1.0, 1.0, 5.0))
        self.clock = self.flaw.clock(loop.time)
        self.card = Card(another(dice))
        self.ledger = Ledger(("deduplicates", "platform"))
        self.oracle = Oracle(self.ledger, self.clock)
        self.kind = scenario.kind or drawn(random.Random(f"kind {scenario.seed}"))  # noqa: S311 - a seed replays
        self.policies = Policies(self.oracle, self.kind)
        self.wires = {wire.name: wire for wire in wires(dice, scenario.pace)}
        limits = {
            "deduplicates": Limits(records=dice.choice((20, 200, 1000))),
            "platform": Limits(
                records=50, readings=150, interval_s=1.0, trusted_time=True, deduplicates=False
            ),
        }
        judges = self.oracle, self.policies
        self.clouds = {
            name: SimCloud(name, limit, another(dice), judges) for name, limit in limits.items()
        }
        every_s = {"deduplicates": dice.choice((5.0, 30.0)), "platform": 10.0}
        weather, self._dice = another(dice), another(dice)
        self.applied = applied(self.wires, every_s, self.may_lose_s, self.kind)
        parts = self.clock, self.card, self.wires, self.clouds
        self.weather = Weather(weather, *parts, scenario.faults_a_day, self.strike)
        self.honesty = Honesty(self.weather, self.oracle)
        self.committed = self.oracle.committed
        self.life: Life | None = None
        self.lives = self.gone_readings = self.gone_before = 0
        self._blows: asyncio.Queue[Blow] = asyncio.Queue()

    async def run(self) -> None:
        """Until the days are over, or enough is wrong."""
        self.weather.boot()
        async with asyncio.TaskGroup() as group:
            parts = [
                group.create_task(self.weather.run(), name="weather"),
                group.create_task(self._power(), name="power"),
            ]
            calendar = group.create_task(self._calendar(), name="calendar")
            enough = group.create_task(self.oracle.enough.wait(), name="enough")
            await asyncio.wait({calendar, enough}, return_when=asyncio.FIRST_COMPLETED)
            for part in (*parts, calendar, enough):
                part.cancel()

    def in_circles(self) -> None:
        """A real daemon would keep a processor busy for ever."""
        self.oracle.wrong("something runs in circles")
        self.oracle.enough.set()

    def looked(self, stuck: str | None) -> None:
        if self.life is None:
            return
        if stuck:
            self.oracle.wrong(f"the watchdog would end the daemon: {stuck}")
        self.honesty.looked(self.life.gateway)

    def strike(self, blow: Blow) -> None:
        self._blows.put_nowait(blow)

    async def _calendar(self) -> None:
        loop = asyncio.get_running_loop()
        for at_s, happens in self.scenario.script:
            await asyncio.sleep(at_s - loop.time())
            happens(self)
        end_s = self.scenario.days * DAY_S
        while loop.time() < end_s:
            await asyncio.sleep(min(self._dice.uniform(0.2, 1.2) * DAY_S, end_s - loop.time()))
            await self._quiet()
        self.weather.clear()
        await self._until_stopped()

    async def _quiet(self) -> None:
        """All faults end; what was promised for such moments must come true."""
        self.weather.clear()
        began_s = asyncio.get_running_loop().time()
        wish_s = max(cloud.longest_wish_s for cloud in self.clouds.values())
        await asyncio.sleep(max(RESTART_S) + BACK_OFF_S + LIVENESS_S + self._draining_s())
        if wish_s > BACK_OFF_S:
            await asyncio.sleep(WISH_S)
        self._judge_liveness(began_s)
        if self.life is not None:
            self.honesty.well(self.life.gateway)
        for cloud in self.clouds.values():
            cloud.longest_wish_s = 0.0
        self.weather.calm.clear()

    def _draining_s(self) -> float:
        """How long a backlog takes to its destination."""
        return max(
            len(self.ledger.open[cloud.name]) / cloud.limits.records * (cloud.limits.interval_s + 2)
            + self.policies.drains_s(cloud, len(self.ledger.open[cloud.name]))
            for cloud in self.clouds.values()
        )

    def _judge_liveness(self, began_s: float) -> None:
        now_s = asyncio.get_running_loop().time()
        found = view(self.folder) if self.kind.small else None
        for name, waiting in self.ledger.open.items():
            late = [
                key
                for key, number in waiting.items()
                if not (found and found.lost(name, number))
                and key not in self.clouds[name].refused
                and not self.policies.may_expire(name, key)
                and (self.ledger.served[key].committed_s or 0.0) < now_s - LIVENESS_S
            ]
            if late:
                first = self.ledger.served[late[0]]
                self.oracle.wrong(f"I7: {len(late)} samples do not reach {name}, as {first}")
        for wire in self.wires.values():
            for device, every_s in wire.every_s.items():
                due_s = began_s + max(RESTART_S) + BACK_OFF_S + 1.2 * every_s
                if due_s < now_s and wire.read.get(device, 0.0) < began_s:
                    self.oracle.wrong(f"I7: {device} is not read any more")

    async def _power(self) -> None:
        """Start the daemon, and start it again after every blow."""
        while True:
            self.lives += 1
            self.weather.mend_card()  # a start on a card that refuses is another test's business
            self.gone_before = self.gone_readings
            life = self.life = Life(self, self.lives)
            async with asyncio.TaskGroup() as group:
                process = group.create_task(self._process(life), name="process")
                blow = group.create_task(self._blows.get(), name="blow")
                await asyncio.wait({process, blow}, return_when=asyncio.FIRST_COMPLETED)
                struck = blow.result() if blow.done() else None
                blow.cancel()
                if struck is not None:
                    await self._struck(life, process, struck)
            self.life = None
            await asyncio.sleep(self._dice.uniform(*RESTART_S))
            if struck is Blow.CUT:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._dice.choice(DARK_S)):
                        await self.weather.calm.wait()
                self.weather.boot()

    async def _process(self, life: Life) -> None:
        try:
            await life.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, systemd starts it again
            cause: BaseException = error
            while isinstance(cause, BaseExceptionGroup):
                cause = cause.exceptions[0]
            places = traceback.extract_tb(cause.__traceback__)[-3:]
            where = ", ".join(f"{Path(p.filename).name}:{p.lineno}" for p in places)
            self.oracle.wrong(f"the daemon ended by itself: {cause!r} ({where})")
            life.kill(finish=False, synced_only=False)
            self.oracle.died(asyncio.get_running_loop().time(), self.may_lose_s)

    async def _struck(self, life: Life, process: asyncio.Task[None], blow: Blow) -> None:
        self.weather.say(f"{blow} of life {life.number}")
        if blow is Blow.STOP and life.running:
            await self._stop(life, process)
            return
        self.oracle.excused.add(Loss.UNCLEAN_STOP)
        self.policies.died()
        if blow is Blow.CUT:
            self.clock.go_dark()
        cut = blow is Blow.CUT and self.flaw.synchronous != "full"
        started = life.running
        since_s = life.kill(finish=self._dice.random() < 0.5, synced_only=cut)
        process.cancel()
        await asyncio.wait({process})
        self.gone_readings += self.oracle.died(since_s, self.may_lose_s)
        if (self.folder / "buffer" / "buffer.db").exists():
            found = view(self.folder)
            self._look_at(found)
            if started:
                self.oracle.admitted(found, self.gone_before)

    async def _stop(self, life: Life, process: asyncio.Task[None]) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self.policies.died()
        stalls = self.card.broken or self.card.stall_s or self.card.errs
        life.stop()
        await asyncio.wait({process})
        if loop.time() - began_s > STOP_S and not stalls:
            self.oracle.wrong(f"I11: a stop took {loop.time() - began_s:.0f} s")
        if self.card.broken:
            self.oracle.died(began_s, self.may_lose_s + STOP_S)
        found = view(self.folder)
        self._look_at(found)
        if self.card.broken:
            return  # its sums are those of what it took
        self.oracle.accounts(found, self.clouds)

    def _look_at(self, found: View) -> None:
        self.oracle.on_card(found, self.clouds)
        if self.card.errors:
            self.oracle.excused |= {Loss.RAM_LOST, Loss.RAM_OVERFLOW}
        self.policies.causes(found)

    async def _until_stopped(self) -> None:
        """A clean end, and the last judgement."""
        while self.life is None or not self.life.running:
            await asyncio.sleep(1.0)
        number = self.lives
        self.strike(Blow.STOP)
        while self.lives == number and self.life is not None:
            await asyncio.sleep(0.1)
