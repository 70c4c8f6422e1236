"""Health: facts in, words, score, problems and events out. Cheap for every sample, no timer.

`look` is to be called every ten seconds by whoever owns the timers: it books up-time and says
what has changed. Everything else is worked out only when somebody asks.
"""

from collections.abc import Mapping

from agent import plan
from agent.clock import Clock
from agent.daemon.health import render
from agent.daemon.health.connection import ConnectionHealth
from agent.daemon.health.destination import DestinationHealth
from agent.daemon.health.device import DeviceHealth
from agent.daemon.health.facts import Queue, Surroundings
from agent.daemon.health.flow import Flow
from agent.daemon.health.journal import Event, Journal
from agent.daemon.health.news import News
from agent.daemon.health.report import Report
from agent.daemon.health.reporting import Reporter, Watched
from agent.daemon.health.words import DeviceState, Status
from agent.driver import ConnectionState, DeviceFault
from agent.errors import FieldpostError
from agent.plan import Json
from agent.sample import Sample

LOOK_S = 10.0  # how often `look` is to be called
_NO_FAULTS: Mapping[str, DeviceFault] = {}


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
        self._clock = clock
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
        self._watched = Watched(
            running, now_s, self._devices, self._connections, self._destinations, self._flow
        )

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

    def began_again(self, device: str, point: str, before: float, now: float) -> None:
        """A counter is lower than it was: whoever counts there has started anew."""
        subject = f"{device}.{point}"
        message = f"{device}: {point} counts from {now:.10g} again; it was {before:.10g}."
        self.journal.say(Event(Status.PASS, "value.began_again", subject, message))

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

    def surpassed(self, destination: str) -> None:
        """It knows of samples that were never sent."""
        self._destinations[destination].surpassed_s = self._clock.monotonic_s()

    def beat(self, destination: str, error: FieldpostError | None) -> None:
        """A heartbeat was answered, or was not."""
        self._destinations[destination].beat(self._clock.monotonic_s(), error)

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
        return Reporter(self._watched, self._news).report(self._clock.now(), around)
