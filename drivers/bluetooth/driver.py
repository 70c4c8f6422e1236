"""Listens to the sensors around one Bluetooth adapter, and visits those that want to be asked."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from agent.driver import (
    Discovered,
    Driver,
    DriverError,
    Json,
    Reading,
    Secret,
    Sink,
    Traffic,
)
from agent.plan import from_json
from drivers.bluetooth.adverts import Listener
from drivers.bluetooth.decoders import DECODERS, DISCOVERABLE
from drivers.bluetooth.delivery import Delivery
from drivers.bluetooth.discovery import Discovery
from drivers.bluetooth.inbox import Inbox
from drivers.bluetooth.plan import RadioPlan, Timing
from drivers.bluetooth.radio import Radio, shaped
from drivers.bluetooth.readings import Desk
from drivers.bluetooth.rounds import Rounds
from drivers.bluetooth.tap import Tap


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
        self._tap = Tap()
        self._rounds = Rounds(plan.sensors, self._timing, self._tap)
        self._desk = Desk(plan, self._rounds, self._timing)
        self._delivery = Delivery(self._listeners, self._desk, self._tap)
        self._discoveries: list[Discovery] = []
        self._radio: Radio | None = None

    async def run(self, sink: Sink) -> None:
        """Listen and visit until cancelled.

        Raises:
            DriverError: the adapter, bluetoothd or the D-Bus is not there, or went away.
        """
        for listener in self._listeners.values():
            listener.prepare()
        inbox = Inbox(self._timing.repeat_s)

        def heard(device: BLEDevice, advert: AdvertisementData) -> None:
            at = sink.now()
            self._rounds.heard(device)
            for discovery in self._discoveries:
                discovery.hear(device, advert, at)
            listener = self._listeners.get(device.address)
            if listener is not None:
                inbox.offer(shaped(device, advert, at, listener.beacon.name))

        self._radio = Radio(self._plan.adapter, self._patterns(), heard, self._timing)
        try:
            with self._desk.open(sink):
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._radio.run(), name=f"scan {self._plan.adapter}")
                    group.create_task(self._delivery.run(inbox, sink), name="advertisements")
                    group.create_task(self._rounds.run(sink), name="visits")
        except BaseExceptionGroup as errors:
            raise _foremost(errors) from errors
        finally:
            self._radio = None
            self._tap.end()

    def traffic(self) -> AsyncGenerator[Traffic, None]:
        """What the sensors of the plan say, from now on."""
        return self._tap.traffic()

    async def discover(self, for_s: float) -> Sequence[Discovered]:
        """Everybody who advertises, configured or not.

        Raises:
            DriverError: the adapter is not there.
        """
        if self._radio is None:
            raise self._desk.closed()
        discovery = Discovery(self._names(), self._keys())
        self._discoveries.append(discovery)
        try:
            async with self._radio.asking():
                await asyncio.sleep(for_s)
        finally:
            self._discoveries.remove(discovery)
        return list(discovery.found())

    async def read(self, device: str, point: str | None) -> Sequence[Reading]:
        """What a sensor advertises next, or answers now.

        Raises:
            DeviceFault: it was not heard, or did not answer.
            DriverError: the adapter is not there.
        """
        return await self._desk.read(device, point)

    def _names(self) -> dict[str, str]:
        beacons = {one.mac: one.device for one in self._plan.beacons}
        return beacons | {one.mac: one.device for one in self._plan.sensors}

    def _keys(self) -> dict[str, bytes]:
        return {mac: one.key for mac, one in self._listeners.items() if one.key is not None}

    def _patterns(self) -> list[tuple[int, bytes]]:
        """What a passive scan listens for; nothing when sensors are to be asked for more."""
        if not self._plan.passive:
            return []
        named = {beacon.decoder for beacon in self._plan.beacons}
        found = [pattern for decoder in sorted(named) for pattern in DECODERS[decoder].patterns]
        visited = DISCOVERABLE if self._plan.sensors else ()
        return list(dict.fromkeys([*found, *visited]))


def _foremost(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one that says what to do; several tasks notice at once that the adapter is gone."""
    known, others = errors.split(DriverError)
    if others is not None or known is None:
        return errors
    first: BaseException = known
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
