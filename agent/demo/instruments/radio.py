"""Puts the three sensors' advertisements on the air: a D-Bus of our own with a stand-in BlueZ."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from agent.demo.air import Advert
from agent.demo.bluez import Bluez, stand_in
from agent.demo.instruments import adverts
from agent.demo.instruments.places import ADDRESSES, COLD_ROOM, FREEZER, SHOP
from agent.demo.instruments.site import State
from agent.errors import UnavailableError

RUUVI_S = 1.285  # RAWv2 tags advertise at this interval; the others are slowed down for the eye
SHOP_S, FREEZER_S = 1.0, 2.0
COUNTER = 1 << 20  # the encrypted sensor has been running for a while

Now = Callable[[], State | None]


@dataclass(frozen=True, slots=True)
class Air:
    """Where adverts go.

    Attributes:
        bus: address of the D-Bus, or None without one.
        note: why there is none, one sentence.
    """

    bluez: Bluez | None = None
    bus: str | None = None
    note: str | None = None


@asynccontextmanager
async def opened() -> AsyncIterator[Air]:
    """The air, or nothing where D-Bus is missing."""
    async with AsyncExitStack() as stack:
        try:
            bluez = await stack.enter_async_context(stand_in())
            air = Air(bluez, bluez.address)
        except UnavailableError as error:
            action = f" ({error.action})" if error.action else ""
            air = Air(note=f"No Bluetooth sensors: {error.message}{action}.")
        yield air


async def advertise(air: Air, key: bytes, now: Now, said: Callable[[str], None]) -> None:
    """Let the sensors speak until cancelled; whoever scans hears them."""
    if air.bluez is None:
        return

    def shop(state: State, number: int) -> Advert:
        return adverts.bthome(ADDRESSES[SHOP], number, state.shop_c, state.shop_humidity)

    def freezer(state: State, number: int) -> Advert:
        address, counter = ADDRESSES[FREEZER], COUNTER + number
        return adverts.bthome_encrypted(address, counter, state.freezer_c, key)

    def cold_room(state: State, number: int) -> Advert:
        return adverts.ruuvi(ADDRESSES[COLD_ROOM], number, state)

    async def speak(name: str, every_s: float, advert: Callable[[State, int], Advert]) -> None:
        number = 0
        while True:
            await asyncio.sleep(every_s)
            state = now()
            if state and air.bluez and air.bluez.scanning:
                air.bluez.hear(advert(state, number))
                said(name)
                number += 1

    async with asyncio.TaskGroup() as group:
        group.create_task(speak(SHOP, SHOP_S, shop), name=SHOP)
        group.create_task(speak(FREEZER, FREEZER_S, freezer), name=FREEZER)
        group.create_task(speak(COLD_ROOM, RUUVI_S, cold_room), name=COLD_ROOM)
