"""What a driver speaks to in tests: keeps everything, and can be waited for."""

import asyncio
from collections.abc import Callable

from agent.clock import SystemClock
from agent.driver import DeviceFault, Instant, Sample


class KeepingSink:
    """A sink that accepts all, in order."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.faults: list[tuple[str, str | None, DeviceFault]] = []
        self._clock = SystemClock()
        self._changed = asyncio.Event()

    def now(self) -> Instant:
        return self._clock.now()

    async def put(self, sample: Sample) -> None:
        self.samples.append(sample)
        self._changed.set()

    def fault(self, device: str, point: str | None, error: DeviceFault) -> None:
        self.faults.append((device, point, error))
        self._changed.set()

    async def until(self, holds: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Wait for samples or faults until a condition holds."""
        async with asyncio.timeout(timeout_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def heard(self, count: int = 1) -> list[Sample]:
        """Wait for so many samples in all."""
        await self.until(lambda: len(self.samples) >= count)
        return self.samples

    async def complained(self, count: int = 1) -> list[tuple[str, str | None, DeviceFault]]:
        """Wait for so many faults in all."""
        await self.until(lambda: len(self.faults) >= count)
        return self.faults
