"""Fixtures of the lab that are used here."""

from tests.lab.bluez import bluez
from tests.lab.needs import loop_devices, own_network, ram_for_exile
from tests.status.conftest import routes, service, signed, twin

__all__ = [
    "bluez",
    "loop_devices",
    "own_network",
    "ram_for_exile",
    "routes",
    "service",
    "signed",
    "twin",
]
