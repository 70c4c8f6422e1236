"""Sensors that the tests of Bluetooth share: what is in the plan, and what they say."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

from agent.demo.air import Advert, Characteristic
from agent.demo.bluez import Bluez
from agent.secret import Secret
from drivers.bluetooth.driver import BluetoothDriver
from drivers.bluetooth.plan import Ask, Beacon, Pick, RadioPlan, Sensor, Timing
from drivers.bluetooth.profile import BASE
from tests.lab.sink import KeepingSink

RUUVI_MAC = "CB:B8:33:4C:88:4F"
FREEZER_MAC = "54:48:E6:8F:80:A5"
MOTOR_MAC = "E1:5C:0A:77:20:9D"
FCD2 = BASE.format("fcd2")
SPEED = "0000fff1-0000-1000-8000-00805f9b34fb"
NAME = "0000fff2-0000-1000-8000-00805f9b34fb"
KEY = "231d39c1d7cc1ab1aee224cd096db932"

HEAT, DAMP = Pick("temperature", "temperature"), Pick("humidity", "humidity")
COLD_ROOM = Beacon(
    "cold-room", RUUVI_MAC, "ruuvi", [HEAT, DAMP, Pick("battery", "voltage", scale=0.001)]
)
FREEZER = Beacon("freezer", FREEZER_MAC, "bthome", [HEAT, DAMP], key="freezer-key")
MOTOR = Sensor(
    "motor",
    MOTOR_MAC,
    0.2,
    [Ask("rms", SPEED, "uint16", scale=0.01, unit="mm/s"), Ask("name", NAME, "text")],
)
QUICK = Timing(start_s=2.0, check_s=0.1, silence_s=5.0, repeat_s=1.0, connect_s=2.0, answer_s=2.0)


def ruuvi(heat: float = 24.3, number: int = 205) -> Advert:
    """RAWv2 (data format 5): temperature in steps of 0.005, a number that counts packets."""
    steps = round(heat / 0.005).to_bytes(2, "big", signed=True)
    data = bytes.fromhex("05") + steps + bytes.fromhex("5394c37c0004fffc040cac3642")
    return Advert(
        RUUVI_MAC,
        manufacturer={0x0499: data + number.to_bytes(2, "big") + bytes.fromhex("cbb8334c884f")},
    )


def bthome(mac: str, data: str) -> Advert:
    return Advert(mac, service={FCD2: bytes.fromhex(data)})


ENCRYPTED = bthome(FREEZER_MAC, "41a47266c95f730011223378237214")
SHAKING = Advert(
    MOTOR_MAC,
    name="ACME-VIB",
    services={
        BASE.format("fff0"): [Characteristic(SPEED, b"\x39\x30"), Characteristic(NAME, b"pump\0")]
    },
)


def radio_plan(
    *beacons: Beacon, sensors: Sequence[Sensor] = (), passive: bool = False
) -> RadioPlan:
    return RadioPlan("hci0", passive, beacons, sensors)


def secrets(**of: str) -> Mapping[str, Secret]:
    return {name.replace("_", "-"): Secret(name, text.encode()) for name, text in of.items()}


@contextlib.asynccontextmanager
async def listening(
    bluez: Bluez, plan: RadioPlan, keys: Mapping[str, Secret] | None = None, timing: Timing = QUICK
) -> AsyncIterator[tuple[KeepingSink, BluetoothDriver]]:
    """A driver that has begun to scan."""
    sink, driver = KeepingSink(), BluetoothDriver(plan, keys or {}, timing)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(driver.run(sink), name="driver")
        async with asyncio.timeout(20):
            await bluez.listened()
        yield sink, driver
        task.cancel()
