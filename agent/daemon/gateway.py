"""Everything that lives for one plan: drivers, buffer, lanes, health, put together here only."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from agent.clock import Clock
from agent.daemon import parts
from agent.daemon.buffer import Buffer, Loss
from agent.daemon.buffer.opening import SOUND, Build
from agent.daemon.health import Configuration, Event, Health, Queue, Store, Surroundings, Way
from agent.daemon.health.words import Status
from agent.daemon.history import History
from agent.daemon.intake import Intake
from agent.daemon.learned import Lessons
from agent.daemon.plans import Applied
from agent.daemon.supervisor import Supervisor
from agent.daemon.uplink import Comeback, Uplink
from agent.daemon.vitals import Vitals
from agent.driver import Figures, Measures
from agent.plan import Json


class Gateway:
    """The resident parts of one plan, wired together, without I/O.

    Args:
        applied: the plan and where it comes from.
        config_dir: the folder of the configuration file, where `secrets/` lies.
        state: the state directory.
        build: of the store; another one is for simulations.

    Attributes:
        edited: the file was changed after this plan was made from it.
        line: what `systemctl status` shows, as of the last look.
    """

    def __init__(
        self,
        applied: Applied,
        config_dir: Path,
        state: Path,
        clock: Clock,
        build: Build = SOUND,
    ) -> None:
        plan = applied.plan
        self.applied = applied
        self.plan = plan
        self.clock = clock
        self.edited = False
        self.line = f"starting; devices: {len(plan.devices)}"
        self.buffer = Buffer(state, plan.site, clock, list(plan.destinations), build)
        self.health = Health(plan, clock)
        self.history = History(plan, clock)
        self.vitals = Vitals(state, clock, lambda: self.buffer.facts().written_bytes)
        self.intake = Intake(plan, clock, self.health, self.history, self.buffer.put)
        self.lessons = Lessons(state, plan, clock)
        self.supervisors = dict(self._supervisors(config_dir))
        self.uplinks: dict[str, Uplink] = {}
        self.comeback = Comeback()
        self._config_dir = config_dir

    async def open(self) -> None:
        """Open the store, and a lane to each destination.

        Raises:
            BusyError: another daemon has the store.
        """
        now = self.clock.now()
        await self.buffer.open()
        if found := " ".join(self.buffer.news):
            self.health.journal.say(Event(Status.WARN, "store.opened", "store", found))
        self.uplinks = dict(self._uplinks(awoke=self.buffer.awoke(now)))

    def snapshot(self) -> Json:
        """Everything every surface shows, at this moment."""
        return self.health.snapshot(self.surroundings())

    def look(self) -> None:
        """What is looked at every ten seconds, whether somebody asks or not."""
        self.vitals.look()
        around = self.surroundings()
        self.health.look(around)
        self.lessons.look(around.figures)
        self.line = self.health.line(around)

    def to_send(self, destination: str) -> bool:
        """Whether something waits for a destination that the card lets us read.

        While it refuses, what lies on it cannot be sent; ending the daemon for that would only lose
        what is in RAM.
        """
        buffer = self.buffer
        return not buffer.facts().broken and buffer.outbox(destination).waiting().samples > 0

    def surroundings(self) -> Surroundings:
        """What health does not learn from samples, faults and receipts."""
        facts = self.buffer.facts()
        queues = {}
        for name in self.plan.destinations:
            waiting = self.buffer.outbox(name).waiting()
            told = facts.destinations[name]
            queues[name] = Queue(
                readings=waiting.readings,
                bytes=waiting.bytes,
                oldest_ns=waiting.oldest_ns,
                delivered_total=told.delivered,
                rejected_total=told.rejected,
                lost_total=told.lost,
                given_up_total=sum(told.lost_by_reason.values()),
                by_hand_total=told.lost_by_reason.get(Loss.OPERATOR, 0),
                way=self._way(name),
            )
        return Surroundings(
            machine=self.vitals.machine,
            store=Store(
                epoch=facts.epoch,
                quota_bytes=facts.quota_bytes,
                used_bytes=facts.used_bytes,
                accepted_readings_total=facts.accepted_readings_total,
                lost_readings_total=facts.lost_readings_total,
                uncommitted_age_s=facts.uncommitted_age_s,
                written_bytes=facts.written_bytes,
                starts_total=facts.starts,
                set_aside=facts.set_aside,
                broken=facts.broken,
            ),
            queues=queues,
            configuration=Configuration(
                version=self.applied.version,
                applied_at_ns=self.applied.applied_at_ns,
                edited_not_applied=self.edited,
                rejected=self.applied.rejected,
            ),
            figures=dict(self._figures()),
        )

    def _way(self, name: str) -> Way:
        uplink = self.uplinks.get(name)
        if uplink is None:
            return Way()
        return Way(uplink.spending, uplink.shut_out, uplink.ends)

    def _figures(self) -> Iterator[tuple[str, Figures]]:
        for name, supervisor in self.supervisors.items():
            driver = supervisor.driver
            if driver is not None and isinstance(driver, Measures):
                yield name, driver.figures()

    def _supervisors(self, config_dir: Path) -> Iterator[tuple[str, Supervisor]]:
        used = {d.connection for d in self.plan.devices.values() if d.enabled}
        for name, connection in self.plan.connections.items():
            if name in used:
                opens = partial(parts.driver_of, connection, config_dir)
                yield name, Supervisor(name, opens, self.intake, self.health, self.clock)

    def _uplinks(self, *, awoke: bool) -> Iterator[tuple[str, Uplink]]:
        for name, destination in self.plan.destinations.items():
            opens = partial(parts.cloud_of, destination, self.plan.site.id, self._config_dir)
            outbox = self.buffer.outbox(name)
            outbox.keep(destination.keep_offline_s)
            outbox.tail.hold(destination.replay_s)
            uplink = Uplink(destination, opens, outbox, self.health, self.clock)
            uplink.comeback, uplink.awoke = self.comeback, awoke
            yield name, uplink
