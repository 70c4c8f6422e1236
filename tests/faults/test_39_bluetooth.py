"""Fault 39: the adapter goes, bluetoothd is restarted, links are lost, the air is hostile."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.demo.air import Advert
from agent.demo.bluez import Bluez
from agent.demo.trouble import Trouble
from agent.driver import ConnectionState, Driver, Reason
from agent.sample import Sample
from drivers.bluetooth.driver import BluetoothDriver
from drivers.bluetooth.inbox import BURST, PER_S
from drivers.bluetooth.plan import RadioPlan
from tests.drivers.bluetooth.sensors import (
    COLD_ROOM,
    FREEZER,
    MOTOR,
    MOTOR_MAC,
    QUICK,
    RUUVI_MAC,
    SHAKING,
    bthome,
    listening,
    radio_plan,
    ruuvi,
)
from tests.lab.sink import KeepingSink
from tests.lab.supervised import supervised, until

PLAN = radio_plan(COLD_ROOM)
EACH = 60  # packets of strangers to one of ours


def opener(plan: RadioPlan) -> Callable[[], Driver]:
    return lambda: BluetoothDriver(plan, {}, QUICK)


async def heard_again(bluez: Bluez, sink: KeepingSink) -> None:
    """The tag keeps counting its packets until one more of them was heard."""
    before, number = len(sink.samples), 0
    async with asyncio.timeout(20):
        while len(sink.samples) == before:
            number += 1
            bluez.hear(ruuvi(number=number))
            await asyncio.sleep(0.05)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("what", "words"),
    [("unplugged", "is not there"), ("off", "switched off"), ("stopped", "is not running")],
)
async def test_the_radio_comes_back_with_what_went_away(
    bluez: Bluez, what: str, words: str
) -> None:
    async with supervised(opener(PLAN)) as (sink, told):
        await heard_again(bluez, sink)
        {"unplugged": bluez.unplug, "off": lambda: bluez.power(on=False), "stopped": bluez.stop}[
            what
        ]()
        await until(lambda: any(words in said for said in told.said(ConnectionState.GONE)))
        if what == "unplugged":
            bluez.plug()
        elif what == "off":
            bluez.power(on=True)
        else:
            await bluez.start()
        await heard_again(bluez, sink)


@pytest.mark.timeout(30)
async def test_a_restart_of_bluetoothd_is_no_failure(bluez: Bluez) -> None:
    async with supervised(opener(PLAN)) as (sink, told):
        await heard_again(bluez, sink)
        bluez.stop()
        await bluez.start()
        await heard_again(bluez, sink)
    assert sink.faults == []
    assert len(told.said(ConnectionState.GONE)) <= 1


async def test_a_link_lost_in_the_middle_of_a_read_is_one_failed_visit(bluez: Bluez) -> None:
    async with listening(bluez, radio_plan(COLD_ROOM, sensors=[MOTOR])) as (sink, _):
        bluez.trouble("ReadValue", Trouble(hang_s=0.3))
        bluez.hear(SHAKING)
        async with asyncio.timeout(20):
            while "ReadValue" not in bluez.calls:
                await asyncio.sleep(0.01)
        bluez.drop(MOTOR_MAC)
        ((device, point, fault), *_) = await sink.complained()
        await sink.until(lambda: any(sample.device == "motor" for sample in sink.samples))
        await heard_again(bluez, sink)
    assert (device, point, fault.reason) == ("motor", None, Reason.NO_ANSWER)


async def test_duplicates_are_one_reading(bluez: Bluez) -> None:
    async with listening(bluez, PLAN) as (sink, _):
        for rssi in range(-90, -40):
            bluez.hear(Advert(RUUVI_MAC, rssi=rssi, manufacturer=ruuvi().manufacturer))
        await sink.heard()
        await asyncio.sleep(0.1)
    assert len(sink.samples) == 1


@pytest.mark.timeout(30)
async def test_a_thousand_hostile_packets_do_not_drown_a_sensor(bluez: Bluez) -> None:
    """Two sensors of ours speak in turn; what they say is waited for, as a full bus would break."""
    names = {"A4:C1:38:A1:B2:C3": "freezer", "A4:C1:38:A1:B2:C4": "cellar"}
    ours = [replace(FREEZER, device=name, mac=mac, key=None) for mac, name in names.items()]
    began_s = time.monotonic()
    async with listening(bluez, radio_plan(COLD_ROOM, *ours)) as (sink, _):
        for number in range(1000):
            # strangers, each only once, and somebody who speaks in the name of our tag
            bluez.hear(bthome(f"66:00:00:00:{number >> 8:02X}:{number & 255:02X}", "4002c409"))
            bluez.hear(ruuvi(number=number))
            if number % EACH == 0:
                speaker = ours[number // EACH % 2]
                bluez.hear(bthome(speaker.mac, f"4000{number // EACH:02x}02c409"))
                await speak(sink, number // EACH + 1)
    forged = len(sink.samples) - len(spoken(sink))
    took_s = time.monotonic() - began_s
    assert 1 <= forged <= BURST + (took_s + 1) * PER_S
    assert {sample.device for sample in sink.samples} == {"cold-room", *names.values()}


async def speak(sink: KeepingSink, count: int) -> None:
    """Wait until so much was heard of them."""
    await sink.until(lambda: len(spoken(sink)) == count)


def spoken(sink: KeepingSink) -> list[Sample]:
    """What was heard of others than the tag in whose name somebody speaks."""
    return [sample for sample in sink.samples if sample.device != "cold-room"]


async def test_garbage_in_the_name_of_a_sensor_is_a_fault_and_not_a_crash(bluez: Bluez) -> None:
    async with listening(bluez, PLAN) as (sink, _):
        for data in (b"", b"\x05", b"\x05" * 5, b"\xff" * 31):
            bluez.hear(Advert(RUUVI_MAC, manufacturer={0x0499: data}))
        await sink.complained()
        bluez.hear(ruuvi())
        await sink.heard()
    assert {fault.reason for _, _, fault in sink.faults} <= {
        Reason.UNREADABLE,
        Reason.NOT_A_NUMBER,
    }
