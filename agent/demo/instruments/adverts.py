"""What the three Bluetooth sensors put on the air.

Sources: BTHome v2 (bthome.io/format, encryption: AES-CCM, 4-byte tag); Ruuvi RAWv2, data format 5.
"""

import struct

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from agent.demo.air import Advert
from agent.demo.instruments.site import State

BTHOME = "0000fcd2-0000-1000-8000-00805f9b34fb"
RUUVI = 0x0499
PLAIN, ENCRYPTED = 0x40, 0x41  # BTHome device information: version 2
PACKET_ID, BATTERY, TEMPERATURE, HUMIDITY = 0x00, 0x01, 0x02, 0x03
TAG_BYTES = 4
RUUVI_RAWV2 = 5
TX_POWER_4_DBM = 22  # (dBm + 40) / 2


def bthome(address: str, number: int, celsius: float, humidity: float) -> Advert:
    """A plain thermometer; the packet id makes every advertisement a new one."""
    data = bytes([PLAIN]) + _measured(number, celsius, humidity)
    return Advert(address, "Shop", -58, service={BTHOME: data})


def bthome_encrypted(address: str, number: int, celsius: float, key: bytes) -> Advert:
    """A thermometer with a bind key; the counter is its replay protection and must grow."""
    mac = bytes.fromhex(address.replace(":", ""))
    counter = struct.pack("<I", number)
    info = bytes([ENCRYPTED])
    nonce = mac + bytes.fromhex("d2fc") + info + counter
    cipher = AESCCM(key, tag_length=TAG_BYTES).encrypt(nonce, _measured(number, celsius), None)
    body, tag = cipher[:-TAG_BYTES], cipher[-TAG_BYTES:]
    return Advert(address, None, -71, service={BTHOME: info + body + counter + tag})


def ruuvi(address: str, number: int, state: State) -> Advert:
    """The tag in the cold room."""
    mac = bytes.fromhex(address.replace(":", ""))
    millivolts = 2980 - number // 500
    power = (millivolts - 1600) << 5 | TX_POWER_4_DBM
    measured = struct.pack(
        ">BhHHhhhHBH",
        RUUVI_RAWV2,
        round(state.cold_room_c / 0.005),
        round((70 + state.cold_room_c) / 0.0025),
        round(state.pressure_hpa * 100) - 50_000,
        4 + number % 3,
        -4,
        1036,
        power,
        number // 40 % 255,
        number % 0xFFFF,
    )
    return Advert(address, "Ruuvi 884F", -74, {RUUVI: measured + mac})


def _measured(number: int, celsius: float, humidity: float | None = None) -> bytes:
    """Objects in rising order of their ids, as the format demands."""
    body = struct.pack("<BBBB", PACKET_ID, number % 256, BATTERY, 93)
    body += struct.pack("<Bh", TEMPERATURE, round(celsius * 100))
    if humidity is not None:
        body += struct.pack("<BH", HUMIDITY, round(humidity * 100))
    return body
