"""Health: facts in, words, score, problems and events out. Cheap for every sample, no timer.

`look` is to be called every ten seconds by whoever owns the timers: it books up-time and says
what has changed. Everything else is worked out only when somebody asks.
"""

from collections.abc import Mapping

from agent import plan
from agent.clock import Clock
from agent.daemon.health import machine, problems, render, score
from agent.daemon.health.connection import ConnectionHealth
from agent.daemon.health.destination import DestinationHealth
from agent.daemon.health.device import DeviceHealth
from agent.daemon.health.facts import Queue, Surroundings
from agent.daemon.health.flow import Flow
from agent.daemon.health.journal import Journal
from agent.daemon.health.machine import Check
from agent.daemon.health.news import News
from agent.daemon.health.report import (
    ConnectionReport,
    DestinationReport,
    DeviceReport,
    Problem,
    Report,
)
from agent.daemon.health.words import DeviceState, Status, worst
from agent.driver import ConnectionState, DeviceFault
from agent.errors import FieldpostError
from agent.plan import Json
from agent.sample import Sample

LOOK_S = 10.0  # how often `look` is to be called
_NO_FAULTS: Mapping[str, DeviceFault] = {}
_DOWN = (DeviceState.LOST, DeviceState.NEVER)


class Health:
    """What the gateway knows about itself.

    Args:
        running: the plan that runs.
        clock: ages are on its boot clock.
        journal: who writes events down; one of its own when none is given.
    """

    def __init__(self, running: plan.Plan, clock: Clock, journal: Journal | None = None) -> None:
        now_s = clock.monotonic_s()
        late_after = running.health.late_after
        self.journal = journal or Journal(clock)
        self._plan = running
        self._clock = clock
        self._started_s = now_s
        self._devices = {
            name: DeviceHealth(device, late_after, now_s)
            for name, device in running.devices.items()
        }
        self._connections = {
            name: ConnectionHealth(connection) for name, connection in running.connections.items()
        }
        self._destinations = {
            name: DestinationHealth(destination, now_s)
            for name, destination in running.destinations.items()
        }
        self._flow = Flow(now_s)
        self._news = News(self.journal)

    def sample(
        self, sample: Sample, *, checked: int = 0, bad: Mapping[str, DeviceFault] = _NO_FAULTS
    ) -> None:
        """A device answered.

        Args:
            sample: with its good values only; without any it says "answered, nothing good".
            checked: how many values had a range, or were no numbers; those of `bad` included.
            bad: what was not sent, by point.
        """
        device = self._devices[sample.device]
        at_s = sample.at.mono_ns / 1e9
        device.answered(at_s, sample.values, checked)
        if bad:
            device.out_of_range(at_s, bad)
        connection = self._connections[device.device.connection]
        if connection.absent:
            connection.heard()

    def fault(self, device: str, point: str | None, error: DeviceFault) -> None:
        """A device, or one point of it, could not be read."""
        self._devices[device].failed(self._clock.monotonic_s(), point, error)

    def connection_changed(
        self, name: str, state: ConnectionState, message: str | None, action: str | None
    ) -> None:
        """A wire or radio is there, gone, or somebody else's."""
        self._connections[name].told(self._clock.monotonic_s(), state, message, action)

    def delivered(self, destination: str, readings: int, partly: int = 0) -> None:
        """A destination received so many readings, `partly` records of them in part only."""
        now_s = self._clock.monotonic_s()
        self._destinations[destination].delivered(now_s, readings, partly)

    def refused(self, destination: str, readings: int, reason: str) -> None:
        """A destination judged so many readings; they are set aside."""
        self._destinations[destination].refused(self._clock.monotonic_s(), readings, reason)

    def destination_failed(
        self, destination: str, error: FieldpostError, next_try_s: float | None
    ) -> None:
        """A destination cannot be reached, or does not let us in."""
        now_s = self._clock.monotonic_s()
        self._destinations[destination].failed(now_s, error, next_try_s)

    def beat(self, destination: str, error: FieldpostError | None) -> None:
        """A heartbeat was answered, or was not."""
        self._destinations[destination].beat(self._clock.monotonic_s(), error)

    def certificate(self, destination: str, expires_ns: int | None) -> None:
        """When a destination's certificate runs out, wall time."""
        self._destinations[destination].certificate_expires_ns = expires_ns

    def agent_was_down(self, for_s: float) -> None:
        """Nobody read the devices for so long before this start, seconds."""
        now_s = self._clock.monotonic_s()
        for device in self._devices.values():
            device.agent_was_down(now_s, for_s)

    def look(self, around: Surroundings) -> None:
        """Book the time that passed and say what has changed; to be called every `LOOK_S`."""
        now_s = self._clock.monotonic_s()
        self._flow.look(now_s, around.store)
        for name, destination in self._destinations.items():
            destination.look(now_s, around.queues.get(name, Queue()))
        for device in self._devices.values():
            gone = self._connections[device.device.connection].absent
            device.account(now_s, connection_gone=gone)
        report = self.report(around)
        unwell = [n for n, found in report.devices.items() if found.state is not DeviceState.OK]
        self._news.tell(report.problems, unwell, now_s)

    def snapshot(self, around: Surroundings) -> Json:
        """`{"status": 10.1, "devices": {name: 10.2}}` of `status-page-and-api`, at this moment."""
        return render.snapshot(self.report(around))

    def line(self, around: Surroundings) -> str:
        """The one line of `systemctl status`."""
        return render.line(self.report(around))

    def events(self, since_ns: int | None = None, subject: str | None = None) -> list[Json]:
        """The newest events, oldest first.

        Args:
            since_ns: only those strictly after this wall time.
            subject: only those of this device, connection, destination or check.
        """
        return [
            render.event(event)
            for event in self.journal.events()
            if (since_ns is None or event.wall_ns > since_ns)
            and (subject is None or event.subject.partition(".")[0] == subject)
        ]

    def report(self, around: Surroundings) -> Report:
        """Everything as it is at this moment; changes nothing."""
        at = self._clock.now()
        now_s = at.mono_ns / 1e9
        devices = {name: _device(device, now_s) for name, device in self._devices.items()}
        room_s = self._flow.room_s(now_s, around)
        checks = machine.checks(around, self._plan.health.disk_free_min_bytes)
        parts = {n: d.parts for n, d in devices.items() if d.state is not DeviceState.OFF}
        found = self._news.dated(self._problems(now_s, at.wall_ns, around, checks), now_s)
        means = score.gateway(parts)
        return Report(
            plan=self._plan,
            now_s=now_s,
            wall_ns=at.wall_ns,
            started_s=self._started_s,
            status=_status(found, devices),
            score=score.score(means),
            parts=means,
            problems=found,
            checks=checks,
            devices=devices,
            connections={
                name: self._connection(connection, now_s)
                for name, connection in self._connections.items()
            },
            destinations={
                name: _destination(destination, around.queues.get(name, Queue()), now_s, room_s)
                for name, destination in self._destinations.items()
            },
            around=around,
            room_s=room_s,
        )

    def _problems(
        self, now_s: float, wall_ns: int, around: Surroundings, checks: list[Check]
    ) -> list[Problem]:
        """Findings in the order of dependence; what depends on a failed one is left out."""
        found: list[Problem] = []
        for connection in self._connections.values():
            found += self._on(connection, now_s)
        room_s = self._flow.room_s(now_s, around)
        for name, destination in self._destinations.items():
            queue = around.queues.get(name, Queue())
            state = destination.state(now_s, queue)
            found += problems.of_destination(destination, state, queue, now_s, room_s)
            found += problems.of_certificate(destination, wall_ns)
        for check in checks:
            found += problems.of_check(check)
        return found

    def _on(self, connection: ConnectionHealth, now_s: float) -> list[Problem]:
        devices = self._devices_on(connection)
        words = [device.state(now_s) for device in devices]
        state = connection.state(now_s, devices)
        if DeviceState.STARTING not in words and (
            found := list(problems.of_connection(connection, state, devices))
        ):
            return found
        kind = connection.connection.kind
        return [
            problem
            for device, word in zip(devices, words, strict=True)
            for problem in problems.of_device(device, word, kind, now_s)
        ]

    def _devices_on(self, connection: ConnectionHealth) -> list[DeviceHealth]:
        name = connection.connection.name
        return [d for d in self._devices.values() if d.device.connection == name]

    def _connection(self, connection: ConnectionHealth, now_s: float) -> ConnectionReport:
        state = connection.state(now_s, self._devices_on(connection))
        message, action = connection.message, connection.action
        return ConnectionReport(connection.connection, state, message, action)


def _device(device: DeviceHealth, now_s: float) -> DeviceReport:
    state, parts = device.state(now_s), device.parts(now_s)
    message = problems.trouble(device, state, now_s)
    return DeviceReport(
        device=device.device,
        state=state,
        last_s=device.good_s,
        age_s=device.age_s(now_s),
        interval_s=device.interval_s,
        parts=parts,
        score=score.score(parts),
        values=dict(device.values),
        message_count=device.message_count,
        counts=device.counts(now_s),
        failures_total=dict(device.failures_total),
        message=message,
        action=device.silence_action(now_s) if message else None,
    )


def _destination(
    destination: DestinationHealth, queue: Queue, now_s: float, room_s: float | None
) -> DestinationReport:
    state = destination.state(now_s, queue)
    found = next(problems.of_destination(destination, state, queue, now_s, room_s), None)
    return DestinationReport(
        destination=destination.destination,
        state=state,
        queue=queue,
        last_ack_s=destination.ack_s,
        drain_s=destination.drain_s(queue),
        next_try_s=destination.next_try_s(now_s),
        rejected_1h=destination.rejected_1h(now_s),
        lost_1h=destination.lost_1h(now_s),
        partly_total=destination.partly_total,
        requests_total=dict(destination.requests_total),
        certificate_expires_ns=destination.certificate_expires_ns,
        message=found.message if found else None,
        action=found.action if found else None,
    )


def _status(found: list[Problem], devices: Mapping[str, DeviceReport]) -> Status:
    """The worst check; a single device is never worse than `warn`, all of them are."""
    enabled = [d.state for d in devices.values() if d.state is not DeviceState.OFF]
    if enabled and all(state in _DOWN for state in enabled):
        return Status.FAIL
    return worst(problem.severity for problem in found)
