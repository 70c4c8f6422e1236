"""The Modbus driver: one connection, all its devices, read on schedule and on demand."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

from agent import plan
from agent.driver import (
    Asker,
    Discovered,
    Driver,
    Figures,
    Json,
    Reading,
    Search,
    Secret,
    Sighting,
    Sink,
    Traffic,
    Value,
)
from agent.errors import DeviceNotFoundError
from drivers.modbus.bus import Bus, wire_of
from drivers.modbus.demand import Demand
from drivers.modbus.eavesdrop import eavesdrop
from drivers.modbus.lending import Lent
from drivers.modbus.plan import Line
from drivers.modbus.polling import Polling
from drivers.modbus.scan import ALL, PATIENCE_S, scan
from drivers.modbus.station import Station
from drivers.modbus.writing import Writing


class ModbusDriver:
    """Owns one line or host.

    Args:
        line: its plan.
        secrets: those of its TLS settings.
    """

    def __init__(self, line: Line, secrets: Mapping[str, Secret] | None = None) -> None:
        self._line = line
        self._bus = Bus(line, wire_of(line, secrets))
        self._stations = {unit.device: Station(unit) for unit in line.units}
        self._sink: Sink | None = None
        self._running = False

    async def run(self, sink: Sink) -> None:
        """Read until cancelled.

        Raises:
            DriverError: the port or host is not there, or was lost.
        """
        self._sink = sink
        try:
            async with self._bus as bus:
                self._running = True
                await Polling(self._line, [*self._stations.values()], bus, sink).run()
        finally:
            self._running = False
            self._bus.tap.end()

    async def read(self, device: str, point: str | None) -> Sequence[Reading]:
        """Read one point, or all of a device, before the schedule goes on.

        Raises:
            DeviceFault: it did not answer, or refused.
            DriverError: the connection is not there.
            NotFoundError: there is no such device or point on this connection.
        """
        station = self._station(device)
        async with self._bus as bus:
            return await Demand(self._line, station, bus, self._sink).read(point)

    async def write(self, device: str, point: str, value: Value) -> Reading:
        """Change one point, once, and read it back: see `agent.driver.Writes`."""
        station = self._station(device)
        async with self._bus as bus:
            demand = Demand(self._line, station, bus, self._sink)
            return await Writing(station, bus, demand).write(point, value)

    async def discover(self, for_s: float) -> Sequence[Discovered]:
        """Ask one address after the other who is there, for so many seconds.

        Configured devices are listed without being asked. See `agent.driver.Discovers`.
        """
        mine = {unit.address: unit for unit in self._line.units}
        found = [
            Discovered(str(a), "", unit.profile, "", device=unit.device) for a, unit in mine.items()
        ]
        others = [address for address in ALL if address not in mine]
        search = Search([""], others, tuple, PATIENCE_S, force=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(for_s), self.asking() as asker:
                async for step in scan(asker, search):
                    one = step.found
                    found += [_discovered(one)] if one and not one.refuses else []
        return sorted(found, key=lambda one: int(one.address))

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[Asker]:
        """The line, to be asked in between: see `agent.driver.Asks`."""
        async with self._bus as bus:
            yield Lent(self._line, bus, in_use=self._running)

    def figures(self) -> Figures:
        """How busy the line is, how fast its devices answer: see `agent.driver.Measures`."""
        return self._bus.measured.figures(asyncio.get_running_loop().time())

    def traffic(self) -> AsyncGenerator[Traffic, None]:
        """What passes on the line while it runs: see `agent.driver.Monitors`."""
        return self._bus.tap.traffic()

    def listen(self) -> AsyncGenerator[Traffic, None]:
        """What others say on it: see `agent.driver.Listens`."""
        return eavesdrop(self._line)

    def _station(self, device: str) -> Station:
        station = self._stations.get(device)
        if station is None:
            message = f"there is no device called '{device}' on {self._line.name}"
            raise DeviceNotFoundError(message)
        return station


def _discovered(seen: Sighting) -> Discovered:
    return Discovered(str(seen.address), seen.name, None, seen.says)


def open_driver(spec: Json, secrets: Mapping[str, Secret]) -> Driver:
    """The driver of one Modbus connection; no I/O."""
    return ModbusDriver(plan.from_json(Line, spec), secrets)
