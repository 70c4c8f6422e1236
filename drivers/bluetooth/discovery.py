"""What is in the air, whoever it is: every decoder is tried on every sensor."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from agent.driver import Discovered, Instant
from drivers.bluetooth.adverts import BROKEN, SIGNAL
from drivers.bluetooth.decoders import DECODERS, make
from drivers.bluetooth.radio import shaped
from drivers.bluetooth.shapes import ServiceInfo

MOST: Final = 500  # senders; phones change their address all the time
MOST_VALUES: Final = 4
FIRST: Final = ("temperature", "humidity", "pressure", "voltage", "battery")
PROFILES: Final = {"ruuvi": "ruuvitag", "bthome": "bthome"}
SILENT: Final = (SIGNAL, "packet_id")
AWAITED: Final = "encrypted: needs its key"


class _Sender:
    """One address, and who understands it."""

    def __init__(self, key: bytes | None) -> None:
        self._key = key
        self._tried: dict[str, Any] = {}
        self._values: dict[str, str] = {}
        self.info: ServiceInfo | None = None
        self.decoder: str | None = None
        self.model = ""
        self.title = ""
        self.encrypted = False

    def hear(self, info: ServiceInfo) -> None:
        """Let those try who may understand it."""
        if self.info is not None and self.info.content == info.content:
            self.info = info
            return
        self.info = info
        for name in [self.decoder] if self.decoder else DECODERS:
            if self._try(name, info):
                self.decoder = name
                return

    @property
    def says(self) -> str:
        """Its most important values."""
        if self.encrypted and not self._values:
            return AWAITED
        order = sorted(self._values, key=lambda k: FIRST.index(k) if k in FIRST else len(FIRST))
        return "  ".join(self._values[key] for key in order[:MOST_VALUES])

    def _try(self, name: str, info: ServiceInfo) -> bool:
        if name not in self._tried:
            self._tried[name] = make(name, self._key)
        decoder = self._tried[name]
        try:
            update = decoder.update(info)
        except BROKEN:
            return False
        models = [(str(found.model), str(found.name or "")) for found in update.devices.values()]
        known = [(model, title) for model, title in models if model != "None"]
        if not known:
            return False
        self.model, self.title = known[0]
        self._values |= dict(_values(update))
        scheme = getattr(decoder, "encryption_scheme", None)
        self.encrypted = scheme is not None and scheme.value != "none"
        return True


class Discovery:
    """Collects what is heard.

    Args:
        devices: configured devices by address.
        keys: their bind keys by address.
    """

    def __init__(self, devices: Mapping[str, str], keys: Mapping[str, bytes]) -> None:
        self._devices = devices
        self._keys = keys
        self._senders: dict[str, _Sender] = {}

    def hear(self, device: BLEDevice, advert: AdvertisementData, at: Instant) -> None:
        """One advertisement of anybody."""
        address = device.address
        if address not in self._senders and len(self._senders) >= MOST:
            return
        sender = self._senders.setdefault(address, _Sender(self._keys.get(address)))
        sender.hear(shaped(device, advert, at))

    def found(self) -> Iterator[Discovered]:
        """All senders; those that are understood first, then the strongest."""
        everybody = self._senders.items()
        for address, sender in sorted(everybody, key=lambda one: _rank(one[1])):
            yield Discovered(
                address,
                sender.title or (sender.info.name if sender.info else ""),
                _profile(sender),
                sender.says,
                sender.info.rssi if sender.info else None,
                self._devices.get(address),
            )


def _values(update: Any) -> Iterator[tuple[str, str]]:
    """Measurements and switches, as a person writes them."""
    for key, one in update.entity_values.items():
        unit = update.entity_descriptions[key].native_unit_of_measurement
        if str(key.key) not in SILENT and isinstance(one.native_value, int | float):
            yield str(key.key), f"{one.native_value:g} {str(unit or key.key).lstrip('°')}"
    for key, one in update.binary_entity_values.items():
        yield f"{key.key}?", f"{key.key} {'yes' if one.native_value else 'no'}"


def _profile(sender: _Sender) -> str | None:
    """The packaged profile that fits what was understood."""
    if sender.decoder == "govee":
        return f"govee-{sender.model.partition('/')[0].partition('-')[0].lower()}"
    return PROFILES.get(sender.decoder or "")


def _rank(sender: _Sender) -> tuple[bool, int]:
    return sender.decoder is None, -(sender.info.rssi if sender.info else -127)
