"""Fixtures of the lab that are used here."""

from tests.lab.bluez import bluez

__all__ = ["bluez"]
