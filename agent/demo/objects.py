"""Objects on a D-Bus: who is there, what they say of themselves, the signals of a change."""

import asyncio
from collections.abc import Callable
from typing import Final

from dbus_fast import Message

from agent.demo.air import OFF, Interfaces, Properties

MANAGER: Final = "org.freedesktop.DBus.ObjectManager"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"


class ObjectTree:
    """What one program exports.

    Args:
        send: puts a message on the bus.
    """

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._objects: dict[str, Interfaces] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._objects

    def interfaces(self, path: str) -> Interfaces:
        """What the object at this path offers; nothing when there is none."""
        return self._objects.get(path, {})

    def below(self, path: str) -> list[str]:
        """Paths of the objects under this one."""
        return sorted(p for p in self._objects if p.startswith(f"{path}/"))

    def add(self, path: str, interfaces: Interfaces) -> None:
        """An object appears."""
        self._objects[path] = interfaces
        self._signal("/", MANAGER, "InterfacesAdded", "oa{sa{sv}}", [path, interfaces])

    def remove(self, path: str) -> None:
        """An object goes away."""
        gone = list(self._objects.pop(path))
        self._signal("/", MANAGER, "InterfacesRemoved", "oas", [path, gone])

    def forget(self) -> None:
        """All objects end without a word, as when their program dies."""
        self._objects.clear()

    def change(self, path: str, interface: str, changed: Properties) -> None:
        """Properties get new values."""
        self._objects[path][interface] |= changed
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, changed, []])

    def managed(self) -> dict[str, Interfaces]:
        """The answer to GetManagedObjects."""
        return self._objects

    def _signal(
        self, path: str, interface: str, member: str, signature: str, body: list[object]
    ) -> None:
        self._send(Message.new_signal(path, interface, member, signature, body))


def is_set(properties: Properties, name: str) -> bool:
    """Whether a switch among the properties is on."""
    return bool(properties.get(name, OFF).value)


def noticed(sent: asyncio.Future[None]) -> None:
    """Look at the outcome, so that a broken bus is not reported as an error nobody saw."""
    if not sent.cancelled():
        sent.exception()
