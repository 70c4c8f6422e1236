"""From what was counted to what is shown: the whole gateway at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent import plan
from agent.daemon.health import machine, problems, score, spending
from agent.daemon.health.connection import ConnectionHealth
from agent.daemon.health.destination import DestinationHealth
from agent.daemon.health.device import DeviceHealth
from agent.daemon.health.facts import Queue, Surroundings
from agent.daemon.health.flow import Flow
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
from agent.sample import Instant

_DOWN = (DeviceState.LOST, DeviceState.NEVER)


@dataclass(frozen=True, slots=True)
class Watched:
    """Everything that is counted, by name."""

    plan: plan.Plan
    started_s: float
    devices: Mapping[str, DeviceHealth]
    connections: Mapping[str, ConnectionHealth]
    destinations: Mapping[str, DestinationHealth]
    flow: Flow


class Reporter:
    """Looks at everything that is counted, and changes nothing.

    Args:
        watched: the counters.
        news: knows when problems began.
    """

    def __init__(self, watched: Watched, news: News) -> None:
        self._watched = watched
        self._news = news

    def report(self, at: Instant, around: Surroundings) -> Report:
        """Everything as it is at this moment."""
        now_s = at.mono_ns / 1e9
        devices = {
            name: self._device(device, now_s) for name, device in self._watched.devices.items()
        }
        room_s = self._watched.flow.room_s(now_s, around)
        checks = machine.checks(around, self._watched.plan.health.disk_free_min_bytes)
        parts = {n: d.parts for n, d in devices.items() if d.state is not DeviceState.OFF}
        found = self._news.dated(self._problems(now_s, at.wall_ns, around, checks), now_s)
        means = score.gateway(parts)
        return Report(
            plan=self._watched.plan,
            now_s=now_s,
            wall_ns=at.wall_ns,
            started_s=self._watched.started_s,
            status=_status(found, devices),
            score=score.score(means),
            parts=means,
            problems=found,
            checks=checks,
            devices=devices,
            connections={
                name: self._connection(connection, now_s)
                for name, connection in self._watched.connections.items()
            },
            destinations={
                name: _destination(destination, around.queues.get(name, Queue()), now_s, room_s)
                for name, destination in self._watched.destinations.items()
            },
            around=around,
            room_s=room_s,
        )

    def _problems(
        self, now_s: float, wall_ns: int, around: Surroundings, checks: list[Check]
    ) -> list[Problem]:
        """Findings in the order of dependence; what depends on a failed one is left out."""
        found: list[Problem] = []
        for connection in self._watched.connections.values():
            found += self._on(connection, now_s)
        room_s = self._watched.flow.room_s(now_s, around)
        for name, destination in self._watched.destinations.items():
            queue = around.queues.get(name, Queue())
            state = destination.state(now_s, queue)
            found += problems.of_destination(destination, state, queue, now_s, room_s)
            found += spending.of_budget(name, queue.way)
            found += spending.of_certificates(name, queue.way.ends, wall_ns)
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
        return [d for d in self._watched.devices.values() if d.device.connection == name]

    def _device(self, device: DeviceHealth, now_s: float) -> DeviceReport:
        state, parts = device.state(now_s), device.parts(now_s)
        message, action = self._trouble(device, state, now_s)
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
            action=action,
        )

    def _trouble(
        self, device: DeviceHealth, state: DeviceState, now_s: float
    ) -> tuple[str | None, str | None]:
        """What is wrong with a device and what to do; an absent wire explains its devices."""
        message = problems.trouble(device, state, now_s)
        if message is None:
            return None, None
        connection = self._watched.connections[device.device.connection]
        if connection.absent:
            found = problems.of_connection(connection, connection.told_state, [device])
            return next(((p.message.rstrip("."), p.action) for p in found), (message, None))
        return message, device.silence_action(now_s)

    def _connection(self, connection: ConnectionHealth, now_s: float) -> ConnectionReport:
        state = connection.state(now_s, self._devices_on(connection))
        message, action = connection.message, connection.action
        return ConnectionReport(connection.connection, state, message, action)


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
        rate_per_s=destination.rate_per_s(now_s),
        partly_total=destination.partly_total,
        requests_total=dict(destination.requests_total),
        message=found.message if found else None,
        action=found.action if found else None,
    )


def _status(found: Sequence[Problem], devices: Mapping[str, DeviceReport]) -> Status:
    """The worst check; a single device is never worse than `warn`, all of them are."""
    enabled = [d.state for d in devices.values() if d.state is not DeviceState.OFF]
    if enabled and all(state in _DOWN for state in enabled):
        return Status.FAIL
    return worst(problem.severity for problem in found)
