"""Each instrument speaks its wire so that somebody else's decoder understands it."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pynmea2  # type: ignore[import-untyped]  # it has no types
import pytest
import serial  # type: ignore[import-untyped]  # pyserial has no types
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bthome_ble import BTHomeBluetoothDeviceData
from habluetooth import BluetoothServiceInfoBleak
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from ruuvitag_ble import RuuvitagBluetoothDeviceData

from agent.demo.air import Advert
from agent.demo.instruments import adverts, lines, meters
from agent.demo.instruments.bus import Line, Unit, free_port, serve_line, serve_tcp
from agent.demo.instruments.meters import Image
from agent.demo.instruments.printer import Port
from agent.demo.instruments.site import Energy, Site, State

NOON = Site(1).at(75.0)
ENERGY = Energy(bought=18422.7, sold=3190.25, oven=1210.5, pv=9120.75)
KEY = bytes(range(16))


def float32(image: Image, address: int) -> float:
    words = image.input[address], image.input[address + 1]
    return float(struct.unpack(">f", struct.pack(">HH", *words))[0])


def test_the_main_meter_shows_what_happens_at_the_site() -> None:
    image = meters.sdm630(NOON, ENERGY)
    assert float32(image, 0) == pytest.approx(NOON.volts[0], rel=1e-6)
    assert float32(image, 52) == pytest.approx(NOON.grid_w, abs=0.01)
    assert float32(image, 72) == pytest.approx(18422.7, rel=1e-6)
    assert float32(image, 70) == pytest.approx(NOON.frequency_hz, rel=1e-6)


def test_the_inverter_keeps_to_sunspec() -> None:
    words = meters.sunspec(NOON, ENERGY).holding
    assert (words[40000], words[40001]) == (0x5375, 0x6E53)
    assert (words[40002], words[40003], words[40070], words[40071]) == (1, 66, 103, 50)
    assert words[40084] == round(NOON.pv_w)
    assert (words[40094] << 16 | words[40095]) == 9_120_750
    assert set(range(40000, 40124)) <= words.keys()
    assert all(0 <= word <= 0xFFFF for word in words.values())


def test_the_weather_station_prints_nmea() -> None:
    wind, weather = (pynmea2.parse(line) for line in lines.weather(NOON).splitlines())
    assert float(wind.wind_speed) == pytest.approx(NOON.wind_m_s, abs=0.05)
    assert (wind.wind_speed_units, wind.status) == ("M", "A")
    assert float(weather.air_temp) == pytest.approx(NOON.outside_c, abs=0.05)
    assert float(weather.b_pressure_bar) == pytest.approx(NOON.pressure_hpa / 1000, abs=0.0001)
    assert float(weather.rel_humidity) == pytest.approx(NOON.humidity, abs=0.05)
    assert float(weather.dew_point) < NOON.outside_c


def test_the_logger_prints_a_line_with_a_number() -> None:
    number, celsius, humidity, volts = lines.store(NOON, 17).strip().split(";")
    assert number == "17"
    assert float(celsius) == pytest.approx(NOON.store_c, abs=0.01)
    assert 0 < float(humidity) < 100
    assert float(volts) == 3.61


def heard(advert: Advert) -> BluetoothServiceInfoBleak:
    data = AdvertisementData(
        advert.name, dict(advert.manufacturer), dict(advert.service), [], None, advert.rssi, ()
    )
    return BluetoothServiceInfoBleak(
        name=advert.name or advert.mac,
        address=advert.mac,
        rssi=advert.rssi,
        manufacturer_data=dict(advert.manufacturer),
        service_data=dict(advert.service),
        service_uuids=[],
        source="hci0",
        device=BLEDevice(advert.mac, advert.name, {}),
        advertisement=data,
        connectable=False,
        time=0.0,
        tx_power=None,
    )


def values(
    decoder: BTHomeBluetoothDeviceData | RuuvitagBluetoothDeviceData, advert: Advert
) -> dict[str, float]:
    found = decoder.update(heard(advert)).entity_values
    native = {key.key: value.native_value for key, value in found.items()}
    return {name: float(value) for name, value in native.items() if isinstance(value, int | float)}


def test_the_shops_sensor_speaks_bthome() -> None:
    advert = adverts.bthome("A4:C1:38:5B:0E:DF", 5, 21.37, 44.5)
    found = values(BTHomeBluetoothDeviceData(), advert)
    assert found["temperature"] == 21.37
    assert found["humidity"] == 44.5
    assert found["battery"] == 93


def test_the_freezers_sensor_needs_its_key() -> None:
    advert = adverts.bthome_encrypted("A4:C1:38:A1:B2:C3", 77, -18.42, KEY)
    decoder = BTHomeBluetoothDeviceData(bindkey=KEY)
    assert values(decoder, advert)["temperature"] == -18.42
    assert "temperature" not in values(BTHomeBluetoothDeviceData(bindkey=bytes(16)), advert)


def test_the_tag_in_the_cold_room_speaks_rawv2() -> None:
    found = values(RuuvitagBluetoothDeviceData(), adverts.ruuvi("CB:B8:33:4C:88:4F", 9, NOON))
    assert found["temperature"] == pytest.approx(NOON.cold_room_c, abs=0.01)
    assert found["pressure"] == pytest.approx(NOON.pressure_hpa, abs=0.01)
    assert found["voltage"] == 2980  # the decoder says mV


MAC = "A4:C1:38:5B:0E:DF"
SPEAKERS: list[Callable[[int], Advert]] = [
    lambda n: adverts.bthome(MAC, n, 20.0, 50.0),
    lambda n: adverts.bthome_encrypted(MAC, n, 20.0, KEY),
    lambda n: adverts.ruuvi(MAC, n, NOON),
]


@pytest.mark.parametrize("speaker", SPEAKERS, ids=["bthome", "encrypted", "ruuvi"])
def test_every_advertisement_is_a_new_one(speaker: Callable[[int], Advert]) -> None:
    assert speaker(1) != speaker(2)


@asynccontextmanager
async def two_meters(folder: Path, polled: list[str]) -> AsyncIterator[tuple[Line, list[Unit]]]:
    def shows(image: Callable[[State, Energy], Image]) -> Callable[[], Image]:
        return lambda: image(NOON, ENERGY)

    units = [
        Unit("main", 1, 52, shows(meters.sdm630), polled.append),
        Unit("oven", 2, 12, shows(meters.sdm120), polled.append),
    ]
    started = asyncio.Barrier(2)
    with Line(folder / "rs485") as line:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(serve_line(units, line, started), name="line")
            await started.wait()
            yield line, units
            serving.cancel()


async def test_two_meters_share_one_line_and_count_their_polls(tmp_path: Path) -> None:
    polled: list[str] = []
    async with two_meters(tmp_path, polled) as (line, _units):
        client = AsyncModbusSerialClient(str(line.link), baudrate=9600)
        assert await client.connect()
        main = await client.read_input_registers(0, count=60, device_id=1)
        oven = await client.read_input_registers(0, count=20, device_id=2)
        more = await client.read_input_registers(342, count=2, device_id=1)
        client.close()
    assert client.convert_from_registers(main.registers[:2], client.DATATYPE.FLOAT32) == (
        pytest.approx(NOON.volts[0], rel=1e-6)
    )
    assert main.registers[:2] == oven.registers[:2]
    assert not more.isError()
    assert polled == ["main", "oven"]


async def test_a_quiet_meter_answers_a_begun_poll_to_its_end(tmp_path: Path) -> None:
    polled: list[str] = []
    async with two_meters(tmp_path, polled) as (line, units):
        client = AsyncModbusSerialClient(str(line.link), baudrate=9600)
        await client.connect()
        await client.read_input_registers(50, count=4, device_id=1)
        units[0].quiet = True
        rest = await client.read_input_registers(342, count=2, device_id=1)
        again = await client.read_input_registers(50, count=4, device_id=1)
        after = await client.read_input_registers(342, count=2, device_id=1)
        client.close()
    assert not rest.isError()
    assert again.isError()
    assert after.isError()
    assert polled == ["main"]


async def test_the_inverter_answers_over_tcp() -> None:
    polled: list[str] = []
    unit = Unit("inverter", 1, 40084, lambda: meters.sunspec(NOON, ENERGY), polled.append)
    port, started = free_port(), asyncio.Barrier(2)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve_tcp(unit, port, started), name="inverter")
        await started.wait()
        client = AsyncModbusTcpClient("127.0.0.1", port=port)
        await client.connect()
        answer = await client.read_holding_registers(40000, count=124, device_id=1)
        written = await client.write_register(40084, 1, device_id=1)
        client.close()
        serving.cancel()
    assert answer.registers[:2] == [0x5375, 0x6E53]
    assert written.isError()
    assert polled == ["inverter"]


def test_what_is_printed_to_nobody_does_not_count(tmp_path: Path) -> None:
    with Port(tmp_path / "mast") as port:
        assert not port.print("nobody\r\n")
        with serial.Serial(str(port.link), 4800, timeout=1, exclusive=True) as listener:
            assert port.print("somebody\r\n")
            assert listener.readline() == b"somebody\r\n"
        assert not port.print("nobody again\r\n")
