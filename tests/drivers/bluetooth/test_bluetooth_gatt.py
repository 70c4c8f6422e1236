"""Sensors that are visited: connected to, read, and left alone again."""

import asyncio
from dataclasses import replace

import pytest

from agent.demo.bluez import Bluez
from agent.demo.trouble import ABORTED, Trouble
from agent.driver import DeviceFault, Reason
from drivers.bluetooth.plan import Ask
from tests.drivers.bluetooth.sensors import (
    MOTOR,
    MOTOR_MAC,
    QUICK,
    SHAKING,
    SPEED,
    listening,
    radio_plan,
)

PLAN = radio_plan(sensors=[MOTOR])
KEPT = radio_plan(sensors=[replace(MOTOR, keep_connected=True)])


async def test_a_visit_brings_all_its_values(bluez: Bluez) -> None:
    async with listening(bluez, PLAN) as (sink, _):
        bluez.hear(SHAKING)
        (sample, *_) = await sink.heard(2)
    assert sample.device == "motor"
    assert sample.values == {"rms": 123.45, "name": "pump"}
    assert list(bluez.calls).count("Disconnect") >= 1


async def test_a_link_that_is_kept_is_made_once(bluez: Bluez) -> None:
    async with listening(bluez, KEPT) as (sink, _):
        bluez.hear(SHAKING)
        await sink.heard(3)
    assert list(bluez.calls).count("Connect") == 1


async def test_a_link_that_was_lost_is_made_again(bluez: Bluez) -> None:
    async with listening(bluez, KEPT) as (sink, _):
        bluez.hear(SHAKING)
        await sink.heard()
        bluez.drop(MOTOR_MAC)
        await sink.heard(3)
    assert list(bluez.calls).count("Connect") == 2


async def test_a_value_that_is_refused_does_not_cost_the_others(bluez: Bluez) -> None:
    refusal = Trouble("Read not permitted", "org.bluez.Error.NotPermitted")
    async with listening(bluez, PLAN) as (sink, _):
        bluez.trouble("ReadValue", refusal)
        bluez.hear(SHAKING)
        (sample, *_) = await sink.heard()
    ((device, point, fault), *_) = sink.faults
    assert (device, point, fault.reason) == ("motor", "rms", Reason.REFUSED)
    assert sample.values == {"name": "pump"}


async def test_a_characteristic_it_does_not_have_is_the_fault_of_that_point(bluez: Bluez) -> None:
    other = Ask("other", SPEED.replace("fff1", "fff9"), "uint8")
    plan = radio_plan(sensors=[replace(MOTOR, asks=[*MOTOR.asks, other])])
    async with listening(bluez, plan) as (sink, _):
        bluez.hear(SHAKING)
        await sink.heard()
    assert [(point, fault.reason) for _, point, fault in sink.faults[:1]] == [
        ("other", Reason.REFUSED)
    ]


async def test_a_sensor_that_refuses_connections_is_said_to(bluez: Bluez) -> None:
    async with listening(bluez, PLAN) as (sink, _):
        bluez.trouble("Connect", Trouble("br-connection-page-timeout", times=9))
        bluez.hear(SHAKING)
        ((device, point, fault), *_) = await sink.complained()
    assert (device, point, fault.reason) == ("motor", None, Reason.REFUSES_CONNECTION)
    assert "phone" in (fault.action or "")


async def test_a_connection_that_bluez_aborts_is_tried_again(bluez: Bluez) -> None:
    async with listening(bluez, PLAN) as (sink, _):
        bluez.trouble("Connect", Trouble(ABORTED))
        bluez.hear(SHAKING)
        await sink.heard()
    assert sink.faults == []


async def test_a_sensor_that_never_answers_is_given_up(bluez: Bluez) -> None:
    async with listening(bluez, PLAN) as (sink, _):
        bluez.trouble("ReadValue", Trouble(hang_s=5))
        bluez.hear(SHAKING)
        ((_, point, fault), *_) = await sink.complained()
    assert (point, fault.reason) == (None, Reason.NO_ANSWER)


async def test_a_sensor_nobody_hears_is_said_not_to_be_heard(bluez: Bluez) -> None:
    async with listening(bluez, PLAN, timing=replace(QUICK, connect_s=0.1)) as (sink, _):
        ((_, _, fault), *_) = await sink.complained()
    assert fault.reason is Reason.NOT_HEARD


async def test_a_sensor_that_went_out_of_range_is_not_heard_any_more(bluez: Bluez) -> None:
    async with listening(bluez, PLAN) as (sink, _):
        bluez.hear(SHAKING)
        await sink.heard()
        bluez.vanish(MOTOR_MAC)
        await sink.complained()
        bluez.hear(SHAKING)
        await sink.heard(len(sink.samples) + 1)
    ((_, point, fault), *_) = sink.faults
    assert (point, fault.reason) == (None, Reason.NOT_HEARD)


async def test_reading_on_demand_is_a_visit_of_its_own(bluez: Bluez) -> None:
    rare = radio_plan(sensors=[replace(MOTOR, every_s=3600)])
    async with listening(bluez, rare) as (sink, driver):
        bluez.hear(SHAKING)
        await sink.heard()
        bluez.set_value(MOTOR_MAC, SPEED, b"\x00\x00")
        bluez.hear(SHAKING)
        (reading,) = await driver.read("motor", "rms")
    assert (reading.value, reading.unit, reading.form) == (123.45, "mm/s", "uint16")


async def test_a_refusal_on_demand_is_passed_on(bluez: Bluez) -> None:
    rare = radio_plan(sensors=[replace(MOTOR, every_s=3600)])
    async with listening(bluez, rare) as (sink, driver):
        bluez.hear(SHAKING)
        await sink.heard()
        bluez.trouble("Connect", Trouble(times=9))
        with pytest.raises(DeviceFault, match="refuses connections"):
            await driver.read("motor", None)
        await asyncio.sleep(0)
