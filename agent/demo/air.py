"""What is in the air around the stand-in BlueZ, in the property types of BlueZ 5.66. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dbus_fast import Variant

ADAPTER_PATH: Final = "/org/bluez/hci0"
ADAPTER: Final = "org.bluez.Adapter1"
DEVICE: Final = "org.bluez.Device1"
SERVICE: Final = "org.bluez.GattService1"
CHARACTERISTIC: Final = "org.bluez.GattCharacteristic1"
MONITORS: Final = "org.bluez.AdvertisementMonitorManager1"

ON: Final = Variant("b", value=True)
OFF: Final = Variant("b", value=False)

Properties = dict[str, Variant]
Interfaces = dict[str, Properties]


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One value of a connectable sensor."""

    uuid: str
    value: bytes
    flags: Sequence[str] = ("read", "notify")


@dataclass(frozen=True, slots=True)
class Advert:
    """What a sensor says into the air.

    Attributes:
        manufacturer: by company id.
        service: data by full UUID.
        services: by full UUID, what is found after connecting.
    """

    mac: str
    name: str | None = None
    rssi: int = -60
    manufacturer: Mapping[int, bytes] = field(default_factory=dict)
    service: Mapping[str, bytes] = field(default_factory=dict)
    uuids: Sequence[str] = ()
    services: Mapping[str, Sequence[Characteristic]] = field(default_factory=dict)


def adapter() -> Properties:
    """A powered adapter that is idle."""
    return {
        "Address": Variant("s", "AA:BB:CC:00:00:01"),
        "AddressType": Variant("s", "public"),
        "Name": Variant("s", "lab"),
        "Alias": Variant("s", "lab"),
        "Class": Variant("u", 0),
        "Powered": ON,
        "Discoverable": OFF,
        "Pairable": OFF,
        "Discovering": OFF,
        "UUIDs": Variant("as", []),
        "Roles": Variant("as", ["central", "peripheral"]),
    }


def monitors() -> Properties:
    """What `bluetoothd --experimental` says of advertisement monitors."""
    return {
        "SupportedMonitorTypes": Variant("as", ["or_patterns"]),
        "SupportedFeatures": Variant("as", []),
    }


def device(advert: Advert) -> Properties:
    """A sensor that was not known before."""
    alias = advert.name or advert.mac.replace(":", "-")
    return {
        "Address": Variant("s", advert.mac),
        "AddressType": Variant("s", "random"),
        "Alias": Variant("s", alias),
        "Adapter": Variant("o", ADAPTER_PATH),
        "Paired": OFF,
        "Bonded": OFF,
        "Trusted": OFF,
        "Blocked": OFF,
        "LegacyPairing": OFF,
        "Connected": OFF,
        "ServicesResolved": OFF,
        **said(advert),
    }


def said(advert: Advert) -> Properties:
    """The properties that one advertisement sets."""
    found = {
        "RSSI": Variant("n", advert.rssi),
        "UUIDs": Variant("as", list(advert.uuids)),
    }
    if advert.name:
        found["Name"] = Variant("s", advert.name)
    if advert.manufacturer:
        of = {company: Variant("ay", data) for company, data in advert.manufacturer.items()}
        found["ManufacturerData"] = Variant("a{qv}", of)
    if advert.service:
        by_uuid = {uuid: Variant("ay", data) for uuid, data in advert.service.items()}
        found["ServiceData"] = Variant("a{sv}", by_uuid)
    return found


def services(advert: Advert) -> Iterator[tuple[str, Interfaces]]:
    """The objects that appear when its services are resolved."""
    at = device_path(advert.mac)
    for number, (uuid, values) in enumerate(advert.services.items()):
        path = f"{at}/service{number * 16 + 1:04x}"
        facts = {
            "UUID": Variant("s", uuid),
            "Device": Variant("o", at),
            "Primary": ON,
            "Includes": Variant("ao", []),
        }
        yield path, {SERVICE: facts}
        for index, value in enumerate(values):
            yield f"{path}/char{number * 16 + index * 3 + 2:04x}", _characteristic(path, value)


def structures(advert: Advert) -> Iterator[tuple[int, bytes]]:
    """Its advertising data by type, as it is in the air (Core Specification supplement, A)."""
    yield 0x01, b"\x06"  # discoverable, no classic Bluetooth: what sensors say
    if advert.name:
        yield 0x09, advert.name.encode()
    for company, data in advert.manufacturer.items():
        yield 0xFF, company.to_bytes(2, "little") + data
    for uuid, data in advert.service.items():
        yield 0x16, bytes.fromhex(uuid[4:8])[::-1] + data


def device_path(mac: str) -> str:
    """Where BlueZ puts the sensor with this address."""
    return f"{ADAPTER_PATH}/dev_{mac.replace(':', '_')}"


def _characteristic(service: str, value: Characteristic) -> Interfaces:
    facts = {
        "UUID": Variant("s", value.uuid),
        "Service": Variant("o", service),
        "Value": Variant("ay", value.value),
        "Notifying": OFF,
        "Flags": Variant("as", list(value.flags)),
        "MTU": Variant("q", 247),
    }
    return {CHARACTERISTIC: facts}
