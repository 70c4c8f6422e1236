"""When which sensor is visited: one link at a time, nothing made up for when it was late."""

import asyncio
from collections.abc import Sequence

from bleak.backends.device import BLEDevice

from agent.driver import DeviceFault, Sample, Sink, Value
from drivers.bluetooth.gatt import Answers, Visitor
from drivers.bluetooth.plan import Sensor, Timing
from drivers.bluetooth.tap import Tap


class Rounds:
    """Visits all sensors that have to be connected to.

    Args:
        sensors: who, what and how often.
        timing: what is waited for.
        tap: where people look on.
    """

    def __init__(self, sensors: Sequence[Sensor], timing: Timing, tap: Tap) -> None:
        self._visitors = {sensor.mac: Visitor(sensor, timing.connect_s) for sensor in sensors}
        self._timing = timing
        self._tap = tap
        self._one_at_a_time = asyncio.Lock()
        self._appeared = asyncio.Event()

    def heard(self, device: BLEDevice) -> None:
        """A sensor advertised, so it can be connected to."""
        visitor = self._visitors.get(device.address)
        if visitor is not None:
            visitor.device = device
            self._appeared.set()

    async def run(self, sink: Sink) -> None:
        """Visit them in turn until cancelled."""
        now = asyncio.get_running_loop().time
        due_s = dict.fromkeys(self._visitors, now())
        await self._first_heard()
        try:
            while due_s:
                mac = min(due_s, key=lambda one: due_s[one])
                await asyncio.sleep(max(0.0, due_s[mac] - now()))
                await self._visit(self._visitors[mac], sink)
                due_s[mac] = max(due_s[mac] + self._visitors[mac].sensor.every_s, now())
        finally:
            for visitor in self._visitors.values():
                visitor.device = None
                await visitor.leave()

    async def ask(self, mac: str) -> Answers:
        """Visit one sensor now.

        Raises:
            DeviceFault: it is not heard, refuses or does not answer.
        """
        async with self._one_at_a_time:
            return await self._visitors[mac].visit()

    async def _first_heard(self) -> None:
        """A scan that has just begun has heard nobody; that is not the sensors' fault."""
        now = asyncio.get_running_loop().time
        until_s = now() + self._timing.connect_s
        while any(visitor.device is None for visitor in self._visitors.values()):
            self._appeared.clear()
            try:
                async with asyncio.timeout_at(until_s):
                    await self._appeared.wait()
            except TimeoutError:
                return

    async def _visit(self, visitor: Visitor, sink: Sink) -> None:
        sensor = visitor.sensor
        try:
            answers = await self.ask(sensor.mac)
        except DeviceFault as fault:
            self._tap.visited(sensor.device, sink.now(), {}, fault)
            sink.fault(sensor.device, None, fault)
            return
        values: dict[str, Value] = {}
        for point, answer in answers.items():
            if isinstance(answer, DeviceFault):
                sink.fault(sensor.device, point, answer)
            else:
                values[point] = answer
        at = sink.now()
        self._tap.visited(sensor.device, at, values)
        await sink.put(Sample(sensor.device, at, values))
