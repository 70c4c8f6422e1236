"""One scan for ever: what starts it again, and what ends it in words."""

import asyncio
import time
from dataclasses import replace

import pytest

from agent.demo.air import Advert
from agent.demo.bluez import Bluez, stand_in
from agent.demo.trouble import Trouble
from agent.driver import ConnectionState, DriverError
from drivers.bluetooth.driver import BluetoothDriver
from drivers.bluetooth.plan import Beacon
from tests.drivers.bluetooth.sensors import (
    COLD_ROOM,
    FREEZER,
    QUICK,
    bthome,
    listening,
    radio_plan,
    ruuvi,
)
from tests.lab.sink import KeepingSink

IMPATIENT = replace(QUICK, check_s=0.02, silence_s=0.1)


async def test_where_a_passive_scan_is_not_offered_it_scans_actively(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with stand_in(passive=False) as bluez:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bluez.address)
        async with listening(bluez, radio_plan(COLD_ROOM, passive=True)) as (sink, _):
            bluez.hear(ruuvi())
            await sink.heard()
    assert "StartDiscovery" in bluez.calls


GOVEE = Beacon("shop", "A4:C1:38:00:27:62", "govee", COLD_ROOM.picks)
SAYS_GOVEE = Advert(GOVEE.mac, manufacturer={0xEC88: bytes.fromhex("000341106400")})
PLAIN = replace(FREEZER, key=None)


@pytest.mark.parametrize(
    ("beacon", "advert"),
    [(COLD_ROOM, ruuvi()), (PLAIN, bthome(PLAIN.mac, "4002c409")), (GOVEE, SAYS_GOVEE)],
)
async def test_a_passive_scan_lets_in_what_its_decoder_understands(
    bluez: Bluez, beacon: Beacon, advert: Advert
) -> None:
    async with listening(bluez, radio_plan(beacon, passive=True)) as (sink, _):
        bluez.hear(advert)
        await sink.heard()


async def test_a_passive_scan_leaves_others_to_the_controller(bluez: Bluez) -> None:
    async with listening(bluez, radio_plan(PLAIN, passive=True)) as (sink, _):
        bluez.hear(Advert(PLAIN.mac, manufacturer={0x004C: bytes.fromhex("0215")}))
        bluez.hear(bthome(PLAIN.mac, "4002c409"))
        await sink.heard()
    assert sink.faults == []


async def test_a_scan_that_has_died_unnoticed_is_mended(bluez: Bluez) -> None:
    async with listening(bluez, radio_plan(COLD_ROOM), timing=IMPATIENT) as (sink, _):
        bluez.stuck = True  # only a power cycle helps, as with BlueZ before 5.88
        async with asyncio.timeout(20):
            while not sink.samples:
                bluez.hear(ruuvi())
                await asyncio.sleep(0.02)
    assert list(bluez.calls).count("StartDiscovery") == 3
    assert "Set" in bluez.calls


async def test_where_there_is_nothing_to_hear_it_is_tried_ever_less_often(bluez: Bluez) -> None:
    began_s = time.monotonic()
    async with listening(bluez, radio_plan(COLD_ROOM), timing=IMPATIENT), asyncio.timeout(20):
        while list(bluez.calls).count("StartDiscovery") < 6:
            await asyncio.sleep(0.02)
    assert time.monotonic() - began_s >= (1 + 1 + 1 + 2 + 4) * IMPATIENT.silence_s
    assert list(bluez.calls).count("Set") == 2


async def test_a_bluetoothd_that_was_started_anew_is_asked_to_scan_again(bluez: Bluez) -> None:
    async with listening(bluez, radio_plan(COLD_ROOM)) as (sink, _):
        bluez.stop()
        await bluez.start()
        async with asyncio.timeout(20):
            await bluez.listened()
        bluez.hear(ruuvi())
        await sink.heard()


@pytest.mark.parametrize(
    ("what", "words"),
    [("power", "switched off"), ("unplug", "is not there"), ("stop", "is not running")],
)
async def test_what_goes_away_is_named(bluez: Bluez, what: str, words: str) -> None:
    driver = BluetoothDriver(radio_plan(COLD_ROOM), {}, QUICK)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(ended(driver), name="driver")
        await bluez.listened()
        if what == "power":
            bluez.power(on=False)
        else:
            {"unplug": bluez.unplug, "stop": bluez.stop}[what]()
    error = running.result()
    assert error.state is ConnectionState.GONE
    assert words in error.message
    assert error.action


async def test_a_bluetoothd_that_hangs_is_not_waited_for(bluez: Bluez) -> None:
    bluez.trouble("StartDiscovery", Trouble(hang_s=30))
    driver = BluetoothDriver(radio_plan(COLD_ROOM), {}, QUICK)
    async with asyncio.timeout(20):
        error = await ended(driver)
    assert "does not answer" in error.message


async def test_a_scan_that_is_refused_says_why(bluez: Bluez) -> None:
    bluez.trouble("StartDiscovery", Trouble(text="Operation already in progress"))
    error = await ended(BluetoothDriver(radio_plan(COLD_ROOM), {}, QUICK))
    assert "cannot scan" in error.message


async def ended(driver: BluetoothDriver) -> DriverError:
    with pytest.raises(DriverError) as caught:
        await driver.run(KeepingSink())
    return caught.value
