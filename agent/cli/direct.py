"""Reading a device while no daemon runs: the port is opened here, for as long as it takes."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from agent.cli.failure import BadConfigurationError
from agent.clock import SystemClock, iso
from agent.daemon.parts import driver_of
from agent.driver import DeviceFault, Driver, DriverError, Instant, Reading, Reads, Sample
from agent.errors import DeviceNotFoundError, FieldpostError, NoAnswerError
from agent.plan import Connection, Device, Json, Plan
from agent.prepare.compile import prepare

OPENS_WITHIN_S = 5.0  # a host on the other side of a slow VPN
LOOK_AGAIN_S = 0.05


class _ReadingDriver(Driver, Reads, Protocol):
    """A driver that can be asked."""


class Nowhere:
    """A sink for a driver whose samples nobody keeps."""

    def __init__(self) -> None:
        self._clock = SystemClock()

    def now(self) -> Instant:
        """This moment."""
        return self._clock.now()

    async def put(self, sample: Sample) -> None:
        """Forget it."""

    def fault(self, device: str, point: str | None, error: DeviceFault) -> None:
        """Forget it: what is asked for is answered by `read` itself."""


class Direct:
    """One device, asked without the daemon.

    Args:
        config: the configuration; `secrets/` lies beside it.
        name: of the device.
    """

    def __init__(self, config: Path, name: str) -> None:
        plan = compiled(config)
        self.device = _device(plan, name)
        self.connection = plan.connections[self.device.connection]
        self._driver = _reader(self.connection, config, self.device)
        self._failure: FieldpostError | None = None

    async def run(self) -> None:
        """Hold the connection open until cancelled."""
        try:
            await self._driver.run(Nowhere())
        except DriverError as error:
            self._failure = error

    async def read(self, point: str | None) -> Sequence[Json]:
        """One point or all of them, as the verb `read` answers.

        Raises:
            FieldpostError: the device did not answer, or there is no way to it.
        """
        late_s = asyncio.get_running_loop().time() + OPENS_WITHIN_S
        while True:
            try:
                return [as_json(r) for r in await self._driver.read(self.device.name, point)]
            except DriverError:
                if asyncio.get_running_loop().time() > late_s:
                    raise
            if self._failure is not None:
                raise self._failure
            await asyncio.sleep(LOOK_AGAIN_S)


def compiled(config: Path) -> Plan:
    """The plan of this file.

    Raises:
        BadConfigurationError: it cannot be used.
    """
    plan = prepare(config, offline=True).plan
    if plan is None:
        message = f"{config} cannot be used as it stands"
        raise BadConfigurationError(message, action=f"fieldpost check {config}")
    return plan


def as_json(reading: Reading) -> Json:
    """As the daemon's verb `read` has it."""
    answer = asdict(reading)
    at = answer.pop("at")
    return {**answer, "quality": str(reading.quality), "time": iso(at["wall_ns"])}


def _device(plan: Plan, name: str) -> Device:
    if name not in plan.devices:
        message = f"There is no device '{name}'."
        raise DeviceNotFoundError(message, action=f"Devices here: {', '.join(plan.devices)}")
    return plan.devices[name]


def _reader(connection: Connection, config: Path, device: Device) -> _ReadingDriver:
    driver = driver_of(connection, config.absolute().parent)
    if not isinstance(driver, Reads):
        message = f"{device.name} speaks on its own; it cannot be asked."
        raise NoAnswerError(message, action="fieldpost status shows what it said")
    return driver
