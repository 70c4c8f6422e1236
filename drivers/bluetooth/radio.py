"""One permanent scan on one adapter, watched: a scan that has died unnoticed is started again.

Starting and stopping a scan for each reading is what makes BlueZ stumble, so it runs for ever.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Literal

from bleak import BleakScanner
from bleak.args.bluez import BlueZScannerArgs, OrPattern
from bleak.assigned_numbers import AdvertisementDataType
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from agent import logging
from agent.sample import Instant
from drivers.bluetooth.adapter import Adapter, gone
from drivers.bluetooth.plan import Timing
from drivers.bluetooth.shapes import ServiceInfo

log = logging.get("bluetooth")

MOST_PATTERNS: Final = 16  # of one advertisement monitor (BlueZ)
STOPS_WITHIN_S: Final = 0.5  # a driver stops within a second
SLOWEST_S: Final = 3600.0  # between two restarts where there is nothing to be heard
PATIENCE: Final = 2  # silences before the adapter itself is switched off and on
# bleak lets go of a scan whose bus or adapter is gone in several ways
LET_GO: Final = (BleakError, OSError, EOFError, AssertionError, LookupError, ValueError)

RESTART: Final = "sudo systemctl restart bluetooth"

Heard = Callable[[BLEDevice, AdvertisementData], None]


class Radio:
    """The ears of one adapter.

    Args:
        name: of the adapter, `hci0`.
        patterns: (type, first bytes) of advertising data to listen for passively; none: actively.
        heard: called with every advertisement; has to be quick.
        timing: what is waited for.
    """

    def __init__(
        self, name: str, patterns: Sequence[tuple[int, bytes]], heard: Heard, timing: Timing
    ) -> None:
        self._name = name
        self._patterns = patterns[:MOST_PATTERNS]
        self._heard = heard
        self._timing = timing
        self._last_s = 0.0
        self.passive = bool(patterns)

    async def run(self) -> None:
        """Scan until cancelled.

        Raises:
            DriverError: the adapter, bluetoothd or the D-Bus is not there, or went away.
        """
        silences = 0
        async with Adapter(self._name) as adapter:
            while True:
                service = await adapter.check()
                async with self._kept(await self._start()):
                    silences = await self._watch(adapter, service, silences)
                if silences == PATIENCE:
                    await adapter.power_cycle()

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Scan actively inside the block, beside the passive scan, so that everybody is heard.

        Raises:
            DriverError: the adapter is not there.
        """
        if not self.passive:
            yield
            return
        async with self._kept(await self._refused(self._started(passive=False))):
            yield

    @contextlib.asynccontextmanager
    async def _kept(self, scanner: BleakScanner) -> AsyncIterator[None]:
        try:
            yield
        finally:
            with contextlib.suppress(*LET_GO):
                async with asyncio.timeout(STOPS_WITHIN_S):
                    await scanner.stop()

    async def _start(self) -> BleakScanner:
        if self.passive:
            try:
                return await self._started(passive=True)
            except BleakError as error:
                self.passive = False
                self._tell(
                    "passive scan needs bluetoothd --experimental; scanning actively, which "
                    "drains sensor batteries.",
                    "radio.active",
                    error=str(error),
                )
        return await self._refused(self._started(passive=False))

    async def _refused(self, starting: Awaitable[BleakScanner]) -> BleakScanner:
        try:
            return await starting
        except BleakError as error:
            message = f"the Bluetooth adapter {self._name} cannot scan: {error}"
            raise gone(message, RESTART) from error

    async def _started(self, *, passive: bool) -> BleakScanner:
        bluez = BlueZScannerArgs(adapter=self._name)
        if passive:
            bluez["or_patterns"] = [
                OrPattern(0, AdvertisementDataType(kind), start) for kind, start in self._patterns
            ]
        mode: Literal["passive", "active"] = "passive" if passive else "active"
        scanner = BleakScanner(self._hear, scanning_mode=mode, bluez=bluez)
        try:
            async with asyncio.timeout(self._timing.start_s):
                await scanner.start()
        except (OSError, EOFError) as error:  # TimeoutError is an OSError
            message = "the Bluetooth service does not answer"
            raise gone(message, RESTART) from error
        return scanner

    def _hear(self, device: BLEDevice, advert: AdvertisementData) -> None:
        self._last_s = asyncio.get_running_loop().time()
        self._heard(device, advert)

    async def _watch(self, adapter: Adapter, service: str, silences: int) -> int:
        """Look after the scan until it has to be started again; returns the silences in a row."""
        now = asyncio.get_running_loop().time
        began_s = self._last_s = now()
        longest_s = min(SLOWEST_S, self._timing.silence_s * 2.0 ** max(0, silences - PATIENCE))
        while now() - self._last_s < longest_s:
            await asyncio.sleep(self._timing.check_s)
            if await adapter.check() != service:
                self._tell("bluetoothd was started anew. Restarting the scan.", "radio.restarted")
                return 0
        self._tell(f"no sensor heard for {longest_s:.0f} s. Restarting the scan.", "radio.silent")
        return silences + 1 if self._last_s == began_s else 1

    def _tell(self, sentence: str, event: str, **fields: str) -> None:
        log.warning(sentence, event_type=event, adapter=self._name, **fields)


def shaped(
    device: BLEDevice, advert: AdvertisementData, at: Instant, name: str | None = None
) -> ServiceInfo:
    """What bleak heard, as decoders take it; `name` where the sensor did not say its own now."""
    return ServiceInfo(
        name=advert.local_name or name or device.name or device.address,
        address=device.address,
        rssi=advert.rssi,
        manufacturer_data=advert.manufacturer_data,
        service_data=advert.service_data,
        service_uuids=advert.service_uuids,
        at=at,
        time=at.mono_ns / 1e9,
    )
