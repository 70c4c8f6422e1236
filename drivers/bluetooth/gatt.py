"""Sensors that have to be connected to: one link at a time, its values, and away again."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.exc import BleakCharacteristicNotFoundError, BleakDBusError, BleakError

from agent.driver import DeviceFault, Reason
from agent.sample import Value
from drivers.bluetooth.codec import decode
from drivers.bluetooth.plan import Ask, Sensor

LEAVES_WITHIN_S: Final = 0.5  # a driver stops within a second
SHARED: Final = "Another program or phone may be connected to this sensor."
FAR: Final = "Battery, or distance: move the gateway or its antenna."
FORGOTTEN: Final = ("UnknownObject", "UnknownMethod", "DoesNotExist")  # BlueZ, after 30 s
LOST: Final = (BleakError, OSError, EOFError)  # TimeoutError is an OSError

Answers = Mapping[str, Value | DeviceFault]


class Visitor:
    """Reads one sensor.

    Args:
        sensor: what to ask it for.
        within_s: for the link, its services and all values.
    """

    def __init__(self, sensor: Sensor, within_s: float) -> None:
        self.sensor = sensor
        self.device: BLEDevice | None = None
        self._within_s = within_s
        self._client: BleakClient | None = None

    async def visit(self) -> Answers:
        """Connect unless that is kept up, read everything, and leave.

        Raises:
            DeviceFault: NOT_HEARD, REFUSES_CONNECTION, NO_ANSWER.
        """
        if self.device is None:
            raise DeviceFault(Reason.NOT_HEARD, "not heard", action=FAR)
        try:
            async with asyncio.timeout(self._within_s):
                client = await self._connected(self.device)
                return {ask.point: await _asked(client, ask) for ask in self.sensor.asks}
        except TimeoutError as error:
            await self.leave()
            message = f"heard, but no answer within {self._within_s:.0f} s"
            raise DeviceFault(Reason.NO_ANSWER, message, action=FAR) from error
        except LOST as error:
            await self.leave()
            message = f"the link was lost while reading: {error}"
            raise DeviceFault(Reason.NO_ANSWER, message, action=FAR) from error
        finally:
            if not self.sensor.keep_connected:
                await self.leave()

    async def leave(self) -> None:
        """Give the link up, so that the sensor can sleep, or serve others."""
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(*LOST):
            async with asyncio.timeout(LEAVES_WITHIN_S):
                await client.disconnect()

    async def _connected(self, device: BLEDevice) -> BleakClient:
        if self._client is not None and self._client.is_connected:
            return self._client
        self._client = BleakClient(device, timeout=self._within_s)
        try:
            await self._client.connect()
        except TimeoutError:
            raise
        except LOST as error:
            raise self._unreachable(error) from error
        return self._client

    def _unreachable(self, error: Exception) -> DeviceFault:
        """Why there is no link: BlueZ has forgotten the sensor, or the sensor says no."""
        refused = isinstance(error, BleakDBusError) and not error.dbus_error.endswith(FORGOTTEN)
        if refused:
            message = "heard, but it refuses connections"
            return DeviceFault(Reason.REFUSES_CONNECTION, message, action=SHARED)
        self.device = None  # until it is heard again
        return DeviceFault(Reason.NOT_HEARD, "not heard any more", action=FAR)


async def _asked(client: BleakClient, ask: Ask) -> Value | DeviceFault:
    """One characteristic; a refusal is the fault of this point alone."""
    try:
        return decode(bytes(await client.read_gatt_char(ask.uuid)), ask)
    except DeviceFault as fault:
        return fault
    except BleakCharacteristicNotFoundError:
        return DeviceFault(Reason.REFUSED, f"it has no characteristic {ask.uuid}")
    except BleakError as error:
        if not client.is_connected:
            raise
        return DeviceFault(Reason.REFUSED, f"it refuses to be read: {error}")
