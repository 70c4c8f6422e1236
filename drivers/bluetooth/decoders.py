"""Which decoder understands which advertisements; each is imported when a plan names it.

The packages are those of github.com/Bluetooth-Devices. They know many models each; a profile says
which of their values become points.
"""

import importlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from drivers.bluetooth.shapes import keep_habluetooth_out

# types of advertising data: Bluetooth assigned numbers, 2.3
FLAGS: Final = 0x01
SERVICE_DATA: Final = 0x16
MANUFACTURER: Final = 0xFF
DISCOVERABLE: Final = tuple((FLAGS, bytes([flags])) for flags in (0x02, 0x06, 0x1A))


@dataclass(frozen=True, slots=True)
class Decoder:
    """One package.

    Attributes:
        package, name: its class.
        patterns: (type, first bytes) of advertising data it understands, for a passive scan;
            numbers stand in them as in the air, lowest byte first.
        keyed: it takes the bind key of an encrypted sensor.
    """

    package: str
    name: str
    patterns: Sequence[tuple[int, bytes]]
    keyed: bool = False


DECODERS: Final[Mapping[str, Decoder]] = {
    "bthome": Decoder(
        "bthome_ble",
        "BTHomeBluetoothDeviceData",
        tuple((SERVICE_DATA, bytes.fromhex(uuid)) for uuid in ("d2fc", "1c18", "1e18")),
        keyed=True,
    ),
    "ruuvi": Decoder(
        "ruuvitag_ble", "RuuvitagBluetoothDeviceData", ((MANUFACTURER, bytes.fromhex("9904")),)
    ),
    # Govee uses company ids of others and its own by turns, so there is no better pattern
    "govee": Decoder("govee_ble", "GoveeBluetoothDeviceData", DISCOVERABLE),
}


def make(decoder: str, key: bytes | None) -> Any:
    """A decoder for one sensor; it remembers what that sensor said before."""
    keep_habluetooth_out()
    known = DECODERS[decoder]
    made = getattr(importlib.import_module(known.package), known.name)
    # they log every packet they cannot read; ours is one fault
    logging.getLogger(known.package).setLevel(logging.CRITICAL)
    return made(bindkey=key) if known.keyed else made()
