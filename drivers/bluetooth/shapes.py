"""The shape of an advertisement that the Bluetooth-Devices decoders take.

They import its type from habluetooth, a Bluetooth manager of 4.6 MB of which they use nothing else.
The type here has the same attributes, and stands in its place in `sys.modules`.
"""

import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.sample import Instant

STANDS_FOR = "habluetooth"


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """One advertisement, as it was heard.

    Attributes:
        address: upper case, with colons.
        time: seconds on the boot clock.
        at: the same moment, for the sample.
        raw: the whole packet, which BlueZ does not pass on.
    """

    name: str
    address: str
    rssi: int
    manufacturer_data: Mapping[int, bytes]
    service_data: Mapping[str, bytes]
    service_uuids: Sequence[str]
    at: Instant
    time: float
    source: str = "bluez"
    raw: bytes | None = field(default=None, repr=False)

    @property
    def content(self) -> tuple[Mapping[int, bytes], Mapping[str, bytes]]:
        """What two advertisements are compared by."""
        return self.manufacturer_data, self.service_data


def keep_habluetooth_out() -> None:
    """Let the decoders find the shape of an advertisement without the manager around it."""
    if STANDS_FOR not in sys.modules:
        module = types.ModuleType(STANDS_FOR)
        module.__dict__.update(
            BluetoothServiceInfo=ServiceInfo, BluetoothServiceInfoBleak=ServiceInfo
        )
        sys.modules[STANDS_FOR] = module
