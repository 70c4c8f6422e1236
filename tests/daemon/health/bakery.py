"""A clock that obeys, and a bakery with eight devices: what the tests of health are told about."""

from collections.abc import Mapping

from agent import plan
from agent.daemon.health import Card, ClockFacts, Health, Machine, Queue, Store, Surroundings
from agent.driver import DeviceFault, Reason
from agent.sample import Instant, Sample, Value

WALL_NS = 1_795_445_217_000_000_000  # 2026-11-23T14:46:57Z
CARD = Card(free_bytes=20_000_000_000, total_bytes=30_000_000_000, read_only=False)
MACHINE = Machine(
    "Raspberry Pi 4", 1000, CARD, ClockFacts(synchronized=True, steps_24h=0, rtc=False)
)
QUIET = Surroundings(MACHINE)
NO_ANSWER = DeviceFault(Reason.NO_ANSWER, "no answer at address 2 on rs485 (3 tries, 0.3 s each)")


class ObedientClock:
    """Stands still until told; the wall may step without the boot clock."""

    def __init__(self, start_s: float = 1000.0) -> None:
        self.mono_ns = int(start_s * 1e9)
        self.wall_ns = WALL_NS
        self.trusted = True

    def now(self) -> Instant:
        return Instant("boot", self.mono_ns, self.wall_ns, self.trusted)

    def monotonic_s(self) -> float:
        return self.mono_ns / 1e9

    def go(self, seconds: float) -> None:
        self.mono_ns += round(seconds * 1e9)
        self.wall_ns += round(seconds * 1e9)

    def step_wall(self, seconds: float) -> None:
        self.wall_ns += round(seconds * 1e9)


def device(
    name: str,
    connection: str = "rs485",
    every_s: float | None = 10.0,
    *,
    enabled: bool = True,
    points: Mapping[str, plan.Point] | None = None,
) -> plan.Device:
    points = points or {"power": plan.Point("W", low=0, high=3000)}
    return plan.Device(name, "eastron-sdm120", connection, "2", every_s, enabled, points)


def site(*devices: plan.Device, destinations: Mapping[str, str] | None = None) -> plan.Plan:
    kinds = {"rs485": "modbus-rtu", "lan": "modbus-tcp", "radio": "bluetooth"}
    used = {found.connection for found in devices}
    return plan.Plan(
        plan.FORMAT,
        plan.Origin("0", {}),
        plan.Site("Bakery North", "ES-0231", "Europe/Madrid", 2_000_000_000, 1.0),
        {found.name: found for found in devices},
        {n: plan.Connection(n, k, "x:y", n, {}) for n, k in kinds.items() if n in used},
        {
            name: plan.Destination(name, kind, "x:y", 60.0, None, {})
            for name, kind in (destinations or {}).items()
        },
    )


def sample(clock: ObedientClock, name: str, **values: Value) -> Sample:
    return Sample(name, clock.now(), values)


class Bakery:
    """Health of a site, with the short words the tests speak in."""

    def __init__(
        self, *devices: plan.Device, destinations: Mapping[str, str] | None = None
    ) -> None:
        self.clock = ObedientClock()
        self.plan = site(*(devices or (device("meter"),)), destinations=destinations)
        self.health = Health(self.plan, self.clock)
        self.around = QUIET

    def speaks(self, *names: str, **values: Value) -> None:
        for name in names:
            told = sample(self.clock, name, **(values or {"power": 5.0}))
            self.health.sample(told, checked=len(told.values))

    def fails(self, name: str, fault: DeviceFault = NO_ANSWER, point: str | None = None) -> None:
        self.health.fault(name, point, fault)

    def runs(self, seconds: float, *speaking: str) -> None:
        """Time passes, with a look every ten seconds and a sample of each speaker before it."""
        end_s = self.clock.monotonic_s() + seconds
        while (left := end_s - self.clock.monotonic_s()) > 0:
            self.clock.go(min(10.0, left))
            self.speaks(*speaking)
            self.health.look(self.around)

    def has(self, store: Store | None = None, **queues: Queue) -> None:
        self.around = Surroundings(MACHINE, store or Store(), queues)

    def state(self, name: str) -> str:
        return str(self.health.report(self.around).devices[name].state)

    def cloud(self, name: str) -> str:
        return str(self.health.report(self.around).destinations[name].state)

    def wire(self, name: str) -> str:
        return str(self.health.report(self.around).connections[name].state)

    @property
    def said(self) -> list[str]:
        return [event.message for event in self.health.journal.events()]

    @property
    def codes(self) -> list[str]:
        return [problem.code for problem in self.health.report(self.around).problems]
