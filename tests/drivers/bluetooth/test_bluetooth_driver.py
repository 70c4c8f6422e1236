"""The driver with unmodified bleak over a private D-Bus."""

import asyncio
from dataclasses import replace

import pytest

from agent.demo.bluez import Bluez
from agent.driver import ConnectionState, DriverError, Reason
from drivers.bluetooth.driver import BluetoothDriver
from tests.drivers.bluetooth.sensors import (
    COLD_ROOM,
    ENCRYPTED,
    FREEZER,
    KEY,
    QUICK,
    bthome,
    listening,
    radio_plan,
    ruuvi,
    secrets,
)
from tests.lab.sink import KeepingSink


async def test_an_advertisement_becomes_a_sample(bluez: Bluez) -> None:
    async with listening(bluez, radio_plan(COLD_ROOM)) as (sink, _):
        bluez.hear(ruuvi(24.3))
        (sample,) = await sink.heard()
    assert sample.device == "cold-room"
    assert sample.values == {"temperature": 24.3, "humidity": 53.49, "battery": 2.977}


@pytest.mark.parametrize("passive", [True, False])
async def test_it_listens_the_way_the_file_says(bluez: Bluez, *, passive: bool) -> None:
    async with listening(bluez, radio_plan(COLD_ROOM, passive=passive)) as (sink, _):
        bluez.hear(ruuvi())
        await sink.heard()
    assert ("RegisterMonitor" in bluez.calls) == passive
    assert ("StartDiscovery" in bluez.calls) != passive


async def test_an_encrypted_sensor_is_read_with_its_key(bluez: Bluez) -> None:
    keys = secrets(freezer_key=KEY)
    async with listening(bluez, radio_plan(FREEZER), keys) as (sink, _):
        bluez.hear(ENCRYPTED)
        (sample,) = await sink.heard()
    assert sample.values == {"temperature": 25.06, "humidity": 50.55}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "heard, but encrypted"),
        ({"freezer_key": "too short"}, "its key does not fit"),
        ({"freezer_key": "00" * 16}, "its key does not fit"),
    ],
)
async def test_without_its_key_an_encrypted_sensor_says_what_to_do(
    bluez: Bluez, keys: dict[str, str], words: str
) -> None:
    async with listening(bluez, radio_plan(FREEZER), secrets(**keys)) as (sink, _):
        bluez.hear(ENCRYPTED)
        ((device, point, fault),) = await sink.complained()
    assert (device, point, fault.reason) == ("freezer", None, Reason.NO_KEY)
    assert words in fault.message
    assert "fieldpost secret set freezer-key" in (fault.action or "")


async def test_repetitions_are_dropped_but_still_count_after_a_while(bluez: Bluez) -> None:
    async with listening(bluez, radio_plan(COLD_ROOM)) as (sink, _):
        for _ in range(10):
            bluez.hear(ruuvi())
        await sink.heard()
        await asyncio.sleep(0.1)
        assert len(sink.samples) == 1
        await asyncio.sleep(QUICK.repeat_s)
        bluez.hear(replace(ruuvi(), rssi=-61))
        assert len(await sink.heard(2)) == 2


async def test_a_packet_id_marks_a_repetition_that_came_by_another_way(bluez: Bluez) -> None:
    plain = replace(FREEZER, key=None)
    async with listening(bluez, radio_plan(plain)) as (sink, _):
        bluez.hear(bthome(plain.mac, "40000102c409"))
        bluez.hear(bthome(plain.mac, "40000102c509"))
        bluez.hear(bthome(plain.mac, "40000202c609"))
        samples = await sink.heard(2)
        await asyncio.sleep(0.1)
    assert [sample.values["temperature"] for sample in samples] == [25.0, 25.02]


async def test_what_was_not_in_this_packet_is_not_reported_again(bluez: Bluez) -> None:
    plain = replace(FREEZER, key=None)
    async with listening(bluez, radio_plan(plain)) as (sink, _):
        bluez.hear(bthome(plain.mac, "4002c40903bf13"))
        bluez.hear(bthome(plain.mac, "4002c509"))
        samples = await sink.heard(2)
    assert [dict(sample.values) for sample in samples] == [
        {"temperature": 25.0, "humidity": 50.55},
        {"temperature": 25.01},
    ]


async def test_strangers_are_not_listened_to(bluez: Bluez) -> None:
    async with listening(bluez, radio_plan(COLD_ROOM)) as (sink, _):
        bluez.hear(bthome("A4:C1:38:00:00:99", "4002c409"))
        bluez.hear(ruuvi())
        samples = await sink.heard()
    assert [sample.device for sample in samples] == ["cold-room"]


async def test_a_sensor_of_another_make_is_unreadable(bluez: Bluez) -> None:
    async with listening(bluez, radio_plan(COLD_ROOM)) as (sink, _):
        bluez.hear(bthome(COLD_ROOM.mac, "4002c409"))
        ((_, _, fault),) = await sink.complained()
    assert fault.reason is Reason.UNREADABLE
    assert "ruuvi" in fault.message


async def test_reading_on_demand_waits_for_the_next_advertisement(bluez: Bluez) -> None:
    async with (
        listening(bluez, radio_plan(COLD_ROOM)) as (_, driver),
        asyncio.TaskGroup() as group,
    ):
        asked = group.create_task(driver.read("cold-room", "humidity"), name="read")
        await asyncio.sleep(0)
        bluez.hear(ruuvi())
        (reading,) = await asked
    assert (reading.point, reading.value, reading.source) == ("humidity", 53.49, "humidity")


async def test_who_looks_on_sees_what_is_said_and_what_is_wrong_with_it(bluez: Bluez) -> None:
    async with listening(bluez, radio_plan(COLD_ROOM, FREEZER)) as (_, driver):
        traffic = driver.traffic()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(anext(traffic), name="look on")
            await asyncio.sleep(0)
            bluez.hear(ruuvi())
        said = first.result()
        bluez.hear(ENCRYPTED)
        silent = await anext(traffic)
        await traffic.aclose()
    assert (said.device, said.fault, said.asked) == ("cold-room", "", "")
    assert said.means == "temperature 24.3  humidity 53.49  battery 2.977  -60 dBm"
    assert said.said.startswith("0499 05 12 FC")
    assert (silent.device, silent.fault) == ("freezer", "heard, but encrypted")


async def test_without_d_bus_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    with pytest.raises(DriverError, match="no D-Bus") as caught:
        await BluetoothDriver(radio_plan(COLD_ROOM), {}).run(KeepingSink())
    assert caught.value.state is ConnectionState.GONE


async def test_without_bluetoothd_it_says_so(bluez: Bluez) -> None:
    bluez.stop()
    with pytest.raises(DriverError, match="service is not running"):
        await BluetoothDriver(radio_plan(COLD_ROOM), {}).run(KeepingSink())


@pytest.mark.usefixtures("bluez")
async def test_an_adapter_that_is_not_there_is_named() -> None:
    plan = replace(radio_plan(COLD_ROOM), adapter="hci7")
    with pytest.raises(DriverError, match="hci7 is not there"):
        await BluetoothDriver(plan, {}).run(KeepingSink())


async def test_an_adapter_that_is_off_is_said_to_be_off(bluez: Bluez) -> None:
    bluez.power(on=False)
    with pytest.raises(DriverError, match="hci0 is switched off") as caught:
        await BluetoothDriver(radio_plan(COLD_ROOM), {}).run(KeepingSink())
    assert "rfkill" in (caught.value.action or "")
