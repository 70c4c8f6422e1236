"""Listens to the sensors around one Bluetooth adapter, and visits those that want to be asked."""

import asyncio
from collections.abc import Mapping, Sequence

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from agent.driver import (
    DeviceFault,
    Driver,
    DriverError,
    Instant,
    Json,
    Reading,
    Sample,
    Secret,
    Sink,
    Value,
)
from agent.plan import from_json
from drivers.bluetooth.adverts import Listener
from drivers.bluetooth.decoders import DECODERS, DISCOVERABLE
from drivers.bluetooth.inbox import Inbox
from drivers.bluetooth.plan import Pick, RadioPlan, Timing
from drivers.bluetooth.radio import Radio
from drivers.bluetooth.readings import Desk
from drivers.bluetooth.rounds import Rounds
from drivers.bluetooth.shapes import ServiceInfo

FAULT_EVERY_S = 10.0  # a sensor without its key says so with every packet; once is enough


def open_driver(spec: Json, secrets: Mapping[str, Secret]) -> Driver:
    """The driver of one adapter, without I/O."""
    return BluetoothDriver(from_json(RadioPlan, spec), secrets)


class BluetoothDriver:
    """All sensors around one adapter.

    Args:
        plan: the adapter and its sensors.
        secrets: bind keys by name; a missing one is its sensor's fault.
        timing: what is waited for.
    """

    def __init__(
        self, plan: RadioPlan, secrets: Mapping[str, Secret], timing: Timing | None = None
    ) -> None:
        self._plan = plan
        self._timing = timing or Timing()
        self._listeners = {
            beacon.mac: Listener(beacon, secrets.get(beacon.key or "")) for beacon in plan.beacons
        }
        self._rounds = Rounds(plan.sensors, self._timing)
        self._desk = Desk(plan, self._rounds, self._timing)
        self._quiet_until_s: dict[str, float] = {}

    async def run(self, sink: Sink) -> None:
        """Listen and visit until cancelled.

        Raises:
            DriverError: the adapter, bluetoothd or the D-Bus is not there, or went away.
        """
        for listener in self._listeners.values():
            listener.prepare()
        inbox = Inbox(self._timing.repeat_s)

        def heard(device: BLEDevice, advert: AdvertisementData) -> None:
            self._rounds.heard(device)
            if device.address in self._listeners:
                inbox.offer(self._info(device, advert, sink))

        radio = Radio(self._plan.adapter, self._patterns(), heard, self._timing)
        try:
            with self._desk.open(sink):
                async with asyncio.TaskGroup() as group:
                    group.create_task(radio.run(), name=f"scan {self._plan.adapter}")
                    group.create_task(self._deliver(inbox, sink), name="advertisements")
                    group.create_task(self._rounds.run(sink), name="visits")
        except BaseExceptionGroup as errors:
            raise _foremost(errors) from errors

    async def read(self, device: str, point: str | None) -> Sequence[Reading]:
        """What a sensor advertises next, or answers now.

        Raises:
            DeviceFault: it was not heard, or did not answer.
            DriverError: the adapter is not there.
        """
        return await self._desk.read(device, point)

    def _patterns(self) -> list[tuple[int, bytes]]:
        """What a passive scan listens for; nothing when sensors are to be asked for more."""
        if not self._plan.passive:
            return []
        named = {beacon.decoder for beacon in self._plan.beacons}
        found = [pattern for decoder in sorted(named) for pattern in DECODERS[decoder].patterns]
        visited = DISCOVERABLE if self._plan.sensors else ()
        return list(dict.fromkeys([*found, *visited]))

    def _info(self, device: BLEDevice, advert: AdvertisementData, sink: Sink) -> ServiceInfo:
        at = sink.now()
        beacon = self._listeners[device.address].beacon
        return ServiceInfo(
            name=advert.local_name or beacon.name or device.name or device.address,
            address=device.address,
            rssi=advert.rssi,
            manufacturer_data=advert.manufacturer_data,
            service_data=advert.service_data,
            service_uuids=advert.service_uuids,
            at=at,
            time=at.mono_ns / 1e9,
        )

    async def _deliver(self, inbox: Inbox, sink: Sink) -> None:
        while True:
            info = await inbox.take()
            listener = self._listeners[info.address]
            device = listener.beacon.device
            try:
                found = list(listener.listen(info))
            except DeviceFault as fault:
                self._complain(device, fault, info.time, sink)
                continue
            if found:
                await self._put(device, found, info.at, sink)

    async def _put(
        self,
        device: str,
        found: Sequence[tuple[Pick, Value | DeviceFault]],
        at: Instant,
        sink: Sink,
    ) -> None:
        values: dict[str, Value] = {}
        for pick, one in found:
            if isinstance(one, DeviceFault):
                sink.fault(device, pick.point, one)
            else:
                values[pick.point] = one
        self._desk.arrived(device, at, values)
        await sink.put(Sample(device, at, values))

    def _complain(self, device: str, fault: DeviceFault, now_s: float, sink: Sink) -> None:
        self._desk.failed(device, fault)
        if now_s >= self._quiet_until_s.get(device, now_s):
            self._quiet_until_s[device] = now_s + FAULT_EVERY_S
            sink.fault(device, None, fault)


def _foremost(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one that says what to do; several tasks notice at once that the adapter is gone."""
    known, others = errors.split(DriverError)
    if others is not None or known is None:
        return errors
    first: BaseException = known
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
