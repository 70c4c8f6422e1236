"""Fixtures of the lab that are used here."""

from tests.lab.bluez import bluez
from tests.lab.needs import loop_devices, ram_for_exile

__all__ = ["bluez", "loop_devices", "ram_for_exile"]
