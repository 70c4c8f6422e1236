"""The stand-in BlueZ as a fixture: unmodified bleak talks to it over a private D-Bus."""

import shutil
from collections.abc import AsyncIterator

import pytest

from agent.demo.bluez import Bluez, stand_in


@pytest.fixture
async def bluez(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bluez]:
    """A powered adapter hci0 in an empty room."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("there is no dbus-daemon: apt-get install dbus")
    async with stand_in() as service:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", service.address)
        yield service
