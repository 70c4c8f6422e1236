"""Reads on demand: the next advertisement of a sensor, or a visit right now."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.driver import DeviceFault, DriverError, Instant, Quality, Reading, Reason, Sink, Value
from agent.errors import DeviceNotFoundError, NotFoundError
from drivers.bluetooth.adapter import gone
from drivers.bluetooth.gatt import FAR
from drivers.bluetooth.plan import Ask, Pick, RadioPlan, Sensor, Timing
from drivers.bluetooth.rounds import Rounds


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one advertisement or visit."""

    at: Instant
    values: Mapping[str, Value]


class Desk:
    """Hands what arrives to those who wait for it.

    Args:
        plan: who can be asked.
        rounds: visits sensors that have to be connected to.
        timing: what is waited for.
    """

    def __init__(self, plan: RadioPlan, rounds: Rounds, timing: Timing) -> None:
        self._beacons = {beacon.device: beacon for beacon in plan.beacons}
        self._sensors = {sensor.device: sensor for sensor in plan.sensors}
        self._adapter = plan.adapter
        self._rounds = rounds
        self._timing = timing
        self._sink: Sink | None = None
        self._waiting: dict[str, set[asyncio.Future[Answer]]] = {}

    @contextlib.contextmanager
    def open(self, sink: Sink) -> Iterator[None]:
        """While the driver runs, it can be asked."""
        self._sink = sink
        try:
            yield
        finally:
            self._sink = None

    def arrived(self, device: str, at: Instant, values: Mapping[str, Value]) -> None:
        """A sensor has advertised."""
        for future in self._waiting.get(device, ()):
            if not future.done():
                future.set_result(Answer(at, values))

    def failed(self, device: str, fault: DeviceFault) -> None:
        """A sensor has advertised something that cannot be used."""
        for future in self._waiting.get(device, ()):
            if not future.done():
                future.set_exception(fault)

    async def read(self, device: str, point: str | None) -> Sequence[Reading]:
        """One point of a device, or all of them.

        Raises:
            DeviceFault: it was not heard, or did not answer.
            DriverError: the adapter is not there.
            NotFoundError: there is no such device or point on this radio.
        """
        wanted = self._wanted(device, point)
        if self._sink is None:
            raise self.closed()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        sensor = self._sensors.get(device)
        answer = await (self._asked(sensor, self._sink) if sensor else self._heard(device))
        ms = (loop.time() - began_s) * 1000
        return [_reading(pick, answer, ms) for pick in wanted]

    def _wanted(self, device: str, point: str | None) -> Sequence[Pick | Ask]:
        picks: Sequence[Pick | Ask]
        if device in self._sensors:
            picks = self._sensors[device].asks
        elif device in self._beacons:
            picks = self._beacons[device].picks
        else:
            message = f"there is no device called '{device}' on this radio"
            raise DeviceNotFoundError(message)
        wanted = [pick for pick in picks if point in (None, pick.point)]
        if not wanted:
            message = f"'{device}' has no point '{point}'"
            raise NotFoundError(message)
        return wanted

    def closed(self) -> DriverError:
        """The radio is not open, so nobody can be asked."""
        message = f"the Bluetooth adapter {self._adapter} is not there"
        return gone(message, "fieldpost doctor bluetooth")

    async def _asked(self, sensor: Sensor, sink: Sink) -> Answer:
        try:
            async with asyncio.timeout(self._timing.answer_s):
                found = await self._rounds.ask(sensor.mac)
        except TimeoutError as error:
            message = f"heard, but no answer within {self._timing.answer_s:.0f} s"
            raise DeviceFault(Reason.NO_ANSWER, message, action=FAR) from error
        good = {point: v for point, v in found.items() if not isinstance(v, DeviceFault)}
        return Answer(sink.now(), good)

    async def _heard(self, device: str) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(device, set()).add(future)
        try:
            async with asyncio.timeout(self._timing.answer_s):
                return await future
        except TimeoutError as error:
            message = f"not heard for {self._timing.answer_s:.0f} s"
            raise DeviceFault(Reason.NOT_HEARD, message, action=FAR) from error
        finally:
            self._waiting[device].discard(future)


def _reading(pick: Pick | Ask, answer: Answer, ms: float) -> Reading:
    value = answer.values.get(pick.point)
    source = pick.source if isinstance(pick, Pick) else pick.uuid
    form = "" if isinstance(pick, Pick) else pick.form
    quality = _quality(value, pick)
    return Reading(pick.point, value, pick.unit, quality, answer.at, ms, source=source, form=form)


def _quality(value: Value | None, pick: Pick | Ask) -> Quality:
    if value is None:
        return Quality.NO_VALUE
    if isinstance(value, str):
        return Quality.GOOD
    low = value if pick.low is None else pick.low
    high = value if pick.high is None else pick.high
    return Quality.GOOD if low <= value <= high else Quality.OUT_OF_RANGE
