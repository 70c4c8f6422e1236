"""Those who look on while the driver listens: whoever is too slow misses what is oldest."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Final

from agent.driver import DeviceFault, Instant, Traffic, Value
from drivers.bluetooth.shapes import ServiceInfo

KEPT: Final = 256  # advertisements for one who looks on

Watcher = tuple[deque[Traffic], asyncio.Event]


class Tap:
    """Passes on what sensors of the plan say; costs nothing while nobody looks."""

    def __init__(self) -> None:
        self._watching: list[Watcher] = []

    def __bool__(self) -> bool:
        return bool(self._watching)

    def advertised(
        self,
        device: str,
        info: ServiceInfo,
        values: Mapping[str, Value],
        fault: DeviceFault | None = None,
    ) -> None:
        """A sensor advertised these values, or something that cannot be used."""
        if not self:
            return
        means = "  ".join([*_written(values), f"{info.rssi} dBm"])
        why = fault.message if fault else ""
        self._tell(Traffic(info.at, device, "", _hex(info), means, fault=why))

    def visited(
        self,
        device: str,
        at: Instant,
        values: Mapping[str, Value],
        fault: DeviceFault | None = None,
    ) -> None:
        """A sensor that is connected to answered, or did not."""
        if not self:
            return
        why = fault.message if fault else ""
        means = "  ".join(_written(values))
        self._tell(Traffic(at, device, "", "", means, request="a visit", fault=why))

    async def traffic(self) -> AsyncGenerator[Traffic, None]:
        """Everything from now on, until `end`."""
        waiting: deque[Traffic] = deque(maxlen=KEPT)
        watcher = waiting, asyncio.Event()
        self._watching.append(watcher)
        try:
            while True:
                while waiting:
                    yield waiting.popleft()
                if watcher not in self._watching:
                    return
                watcher[1].clear()
                await watcher[1].wait()
        finally:
            self._leave(watcher)

    def end(self) -> None:
        """The driver ends: nothing more is heard."""
        for watcher in [*self._watching]:
            self._leave(watcher)
            watcher[1].set()

    def _leave(self, watcher: Watcher) -> None:
        if watcher in self._watching:
            self._watching.remove(watcher)

    def _tell(self, seen: Traffic) -> None:
        for waiting, arrived in self._watching:
            waiting.append(seen)
            arrived.set()


def _written(values: Mapping[str, Value]) -> list[str]:
    return [f"{point} {value}" for point, value in values.items()]


def _hex(info: ServiceInfo) -> str:
    """Company or service, and its data, as hex bytes."""
    parts = [f"{company:04X} {data.hex(' ')}" for company, data in info.manufacturer_data.items()]
    parts += [f"{uuid[4:8]} {data.hex(' ')}" for uuid, data in info.service_data.items()]
    return "  ".join(parts).upper()
