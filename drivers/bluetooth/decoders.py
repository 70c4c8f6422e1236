"""Which decoder understands which advertisements; each is imported when a plan names it.

The packages are those of github.com/Bluetooth-Devices. They know many models each; a profile says
which of their values become points.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from drivers.bluetooth.shapes import keep_habluetooth_out

# types of advertising data: Bluetooth assigned numbers, 2.3
FLAGS: Final = 0x01
SERVICE_DATA: Final = 0x16
MANUFACTURER: Final = 0xFF
DISCOVERABLE: Final = tuple((FLAGS, bytes([flags])) for flags in (0x02, 0x06, 0x1A))


def _bthome(key: bytes | None) -> Any:
    from bthome_ble import BTHomeBluetoothDeviceData  # noqa: PLC0415 - loaded when a plan names it

    return BTHomeBluetoothDeviceData(bindkey=key)


def _ruuvi(_: bytes | None) -> Any:
    from ruuvitag_ble import (  # noqa: PLC0415 - loaded when a plan names it
        RuuvitagBluetoothDeviceData,
    )

    return RuuvitagBluetoothDeviceData()


def _govee(_: bytes | None) -> Any:
    from govee_ble import GoveeBluetoothDeviceData  # noqa: PLC0415 - loaded when a plan names it

    return GoveeBluetoothDeviceData()


@dataclass(frozen=True, slots=True)
class Decoder:
    """One package.

    Attributes:
        make: imports it and makes a decoder, with the bind key where it takes one.
        patterns: (type, first bytes) of advertising data it understands, for a passive scan;
            numbers stand in them as in the air, lowest byte first.
        keyed: its sensors may encrypt what they say.
    """

    make: Callable[[bytes | None], Any]
    patterns: Sequence[tuple[int, bytes]]
    keyed: bool = False


DECODERS: Final[Mapping[str, Decoder]] = {
    "bthome": Decoder(
        _bthome,
        tuple((SERVICE_DATA, bytes.fromhex(uuid)) for uuid in ("d2fc", "1c18", "1e18")),
        keyed=True,
    ),
    "ruuvi": Decoder(_ruuvi, ((MANUFACTURER, bytes.fromhex("9904")),)),
    # Govee uses company ids of others and its own by turns, so there is no better pattern
    "govee": Decoder(_govee, DISCOVERABLE),
}


def make(decoder: str, key: bytes | None) -> Any:
    """A decoder for one sensor; it remembers what that sensor said before.

    Args:
        decoder: key of `DECODERS`.
        key: bind key of an encrypted sensor.
    """
    keep_habluetooth_out()
    made = DECODERS[decoder].make(key)
    # they log every packet they cannot read; ours is one fault
    logging.getLogger(type(made).__module__.partition(".")[0]).setLevel(logging.CRITICAL)
    return made
