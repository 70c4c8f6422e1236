"""What is in the air, whoever it is, found while the driver goes on listening."""

import asyncio
from dataclasses import replace

import pytest

from agent.demo.air import Advert
from agent.demo.bluez import Bluez
from agent.driver import Discovered, DriverError
from drivers.bluetooth.driver import BluetoothDriver
from tests.drivers.bluetooth.sensors import (
    COLD_ROOM,
    ENCRYPTED,
    FREEZER,
    FREEZER_MAC,
    KEY,
    RUUVI_MAC,
    SHAKING,
    bthome,
    listening,
    radio_plan,
    ruuvi,
    secrets,
)

GOVEE = Advert("A4:C1:38:00:27:62", rssi=-50, manufacturer={0xEC88: bytes.fromhex("000341106400")})
DOOR = bthome("A4:C1:38:00:00:01", "40015d1a01")
PHONE = Advert("66:00:00:00:00:01", rssi=-30, manufacturer={0x004C: b"\x10\x05"})


async def looked(bluez: Bluez, driver: BluetoothDriver, *adverts: Advert) -> dict[str, Discovered]:
    """What is found while these are on the air."""
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(driver.discover(1.0), name="discover")
        await asyncio.sleep(0.2)
        for advert in adverts:
            bluez.hear(advert)
    return {found.address: found for found in looking.result()}


@pytest.mark.parametrize("passive", [True, False])
async def test_everybody_is_found_and_what_is_understood_is_said(
    bluez: Bluez, *, passive: bool
) -> None:
    plan = radio_plan(COLD_ROOM, passive=passive)
    async with listening(bluez, plan) as (sink, driver):
        found = await looked(bluez, driver, ruuvi(), GOVEE, DOOR, PHONE, SHAKING)
        await sink.heard()
    tag = found[RUUVI_MAC]
    assert (tag.device, tag.profile, tag.name) == ("cold-room", "ruuvitag", "RuuviTag 884F")
    assert tag.says.startswith("24.3 C  53.49 %  1000.44 hPa  2977 mV")
    assert (found[GOVEE.mac].profile, found[GOVEE.mac].signal_dbm) == ("govee-h5072", -50)
    assert found[DOOR.mac].says == "93 %  door yes"
    assert (found[PHONE.mac].profile, found[PHONE.mac].says) == (None, "")
    assert found[SHAKING.mac].name == "ACME-VIB"
    assert found[GOVEE.mac].device is None


async def test_the_passive_scan_goes_on_afterwards(bluez: Bluez) -> None:
    async with listening(bluez, radio_plan(COLD_ROOM, passive=True)) as (sink, driver):
        await looked(bluez, driver)
        asked = [
            call for call in bluez.calls if call != "Get"
        ]  # it looks at the adapter all the time
        assert asked[-2:] == ["StopDiscovery", "SetDiscoveryFilter"]
        bluez.hear(ruuvi())
        await sink.heard()


async def test_those_who_are_understood_come_first_then_the_strongest(bluez: Bluez) -> None:
    async with listening(bluez, radio_plan(COLD_ROOM)) as (_, driver):
        found = await looked(bluez, driver, PHONE, ruuvi(), GOVEE)
    assert list(found) == [GOVEE.mac, RUUVI_MAC, PHONE.mac]


async def test_an_encrypted_stranger_is_said_to_need_its_key(bluez: Bluez) -> None:
    async with listening(bluez, radio_plan(COLD_ROOM)) as (_, driver):
        found = await looked(bluez, driver, ENCRYPTED)
    assert found[FREEZER_MAC].says == "encrypted: needs its key"


async def test_an_encrypted_sensor_of_ours_is_read_with_its_key(bluez: Bluez) -> None:
    keys = secrets(freezer_key=KEY)
    async with listening(bluez, radio_plan(FREEZER), keys) as (_, driver):
        found = await looked(bluez, driver, replace(ENCRYPTED, rssi=-61))
    assert found[FREEZER_MAC].says == "25.06 C  50.55 %"


async def test_without_an_adapter_nothing_is_found_and_it_says_so() -> None:
    with pytest.raises(DriverError, match="is not there"):
        await BluetoothDriver(radio_plan(COLD_ROOM), {}).discover(1)
