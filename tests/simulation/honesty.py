"""I9: health names what is wrong within a watchdog period, and is quiet when nothing is."""

import asyncio
from dataclasses import dataclass, field

from agent.daemon.gateway import Gateway
from agent.daemon.health import Report
from agent.daemon.health.words import DestinationState, DeviceState, Status
from tests.simulation.life import LOOK_S
from tests.simulation.oracle import Oracle
from tests.simulation.weather import Weather

WATCHDOG_S = 60.0
REQUEST_S = 31.0  # until a silent destination counts as one
LATE_AFTER = 3  # reading intervals
# told for an hour: readings refused, readings lost; and until the next one: a bad value
REMEMBERED = ("FP-U03", "FP-U06", "FP-D01", "FP-D02")
SLOWEST = 2.0  # the longest time between two samples, in intervals


@dataclass(slots=True)
class Honesty:
    """Compares what health says with what the weather is."""

    weather: Weather
    oracle: Oracle
    lost: dict[str, int] = field(default_factory=dict)
    _gateway: Gateway | None = None

    def looked(self, gateway: Gateway) -> None:
        """After every look of the daemon."""
        if gateway is not self._gateway:  # what it lost in a life before, it does not know
            self._gateway = gateway
            self.lost.clear()
        around = gateway.surroundings()
        report = gateway.health.report(around)
        now_s = asyncio.get_running_loop().time()
        since_start_s = report.now_s - report.started_s
        self._losses(report)
        if gateway.buffer.facts().broken and report.status is not Status.FAIL:
            self.oracle.wrong("I9: the card takes nothing, and health does not say so")
        for name, wire in self.weather.wires.items():
            bad_s = min(now_s - self.weather.since.get(f"wire {name}", now_s), since_start_s)
            for device, every_s in wire.every_s.items():
                if bad_s > LATE_AFTER * SLOWEST * every_s + WATCHDOG_S + LOOK_S:
                    self._device(report, device)
        for name in self.weather.clouds:
            bad_s = min(now_s - self.weather.since.get(f"cloud {name}", now_s), since_start_s)
            self._destination(report, name, bad_s)

    def well(self, gateway: Gateway) -> None:
        """After everything has been well for long enough."""
        report = gateway.health.report(gateway.surroundings())
        for problem in report.problems:
            if problem.code not in REMEMBERED:
                self.oracle.wrong(f"I9: nothing is wrong, and health says {problem}")

    def _losses(self, report: Report) -> None:
        for name, found in report.destinations.items():
            total = found.queue.lost_total
            if total > self.lost.get(name, total) and report.status is Status.PASS:
                self.oracle.wrong(f"I9: readings for {name} are lost, and health says all is well")
            self.lost[name] = total

    def _device(self, report: Report, device: str) -> None:
        found = report.devices[device]
        if found.state is DeviceState.OK or report.status is Status.PASS:
            self.oracle.wrong(f"I9: {device} is not read, and health says {found.state}")

    def _destination(self, report: Report, name: str, bad_s: float) -> None:
        found = report.destinations[name]
        waited_s = 3 * found.destination.every_s + WATCHDOG_S + LOOK_S + REQUEST_S
        well = found.state in (DestinationState.OK, DestinationState.STARTING)
        if bad_s > waited_s and found.queue.readings and well and self._old(name, waited_s):
            self.oracle.wrong(f"I9: {name} answers nothing, and health says {found.state}")

    def _old(self, name: str, waited_s: float) -> bool:
        """Whether anything has waited so long for this destination."""
        ledger = self.oracle.ledger
        now_s = asyncio.get_running_loop().time()
        committed = (ledger.served[key].committed_s for key in ledger.open[name])
        return any(at_s is not None and at_s < now_s - waited_s for at_s in committed)
