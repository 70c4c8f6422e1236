"""The sandbox cloud as the demo sees it: away or back, and every record it holds."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from agent.demo.account import Held
from agent.demo.instruments import places
from agent.demo.sandbox import Sandbox
from agent.plan import Json

PAGE = 1000  # records read back at once
DEVICES = (
    places.MAIN_METER,
    places.OVEN_METER,
    places.INVERTER,
    places.WEATHER,
    places.STORE,
    places.SHOP,
    places.FREEZER,
    places.COLD_ROOM,
)


class Cloud:
    """A sandbox, used with `async with`."""

    def __init__(self) -> None:
        self._sandbox = Sandbox()
        self._device_id = ""
        self._away = False

    async def __aenter__(self) -> Self:
        await self._sandbox.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._sandbox.__aexit__(*exception)

    def bundle(self, device_id: str) -> bytes:
        """Credentials for the gateway, as a portal would hand them out."""
        self._device_id = device_id
        return self._sandbox.bundle(device_id)

    async def away(self) -> None:
        """Cut every connection and refuse new ones."""
        self._away = True
        await self._sandbox.away()

    async def back(self) -> None:
        """Be there again, if it was away."""
        if self._away:
            self._away = False
            await self._sandbox.back()

    def held(self, others: Iterable[str] = ()) -> Sequence[Held]:
        """Every record that carries readings, duplicates included.

        Args:
            others: names of devices beside the demo's own.
        """
        devices = [*DEVICES, *others]
        found = (_held(record, devices) for record in self._read_back())
        return [one for one in found if one]

    def _read_back(self) -> Iterator[Json]:
        skip = 0
        while page := self._sandbox.store.telemetry(self._device_id, skip, PAGE, None):
            yield from page
            skip += len(page)


def _held(record: Json, devices: Sequence[str]) -> Held | None:
    """None for what the gateway says of itself: it was never a reading."""
    metadata, names = record["metadata"], list(record["data"])
    device = next((d for d in devices if names and names[0].startswith(_metric(d))), None)
    if device is None or metadata.get("seq") is None:
        return None
    at = dt.datetime.fromisoformat(record["timestamp"]).timestamp()
    return Held(device, (metadata["epoch"], metadata["seq"]), at, len(names))


def _metric(device: str) -> str:
    """How a metric of this device begins on the platform."""
    return device.replace("-", "_") + "_"
