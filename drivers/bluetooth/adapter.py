"""One Bluetooth adapter as BlueZ shows it on the D-Bus: is it there, on, and still the same.

Beside bleak, which says nothing when the adapter or bluetoothd goes away under a running scan.
"""

import asyncio
import contextlib
from typing import Any, Final, Self

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, DBusError

from agent.driver import ConnectionState, DriverError

BLUEZ: Final = "org.bluez"
INTERFACE: Final = "org.bluez.Adapter1"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"
ANSWERS_WITHIN_S: Final = 3.0
NO_SERVICE: Final = (
    "ServiceUnknown",
    "NameHasNoOwner",
    "NoReply",
    "Spawn",
    "NoSuchUnit",
    "TimedOut",
)
LET_IN: Final = "Add the service's user to the group bluetooth."
BROKEN_BUS: Final = (OSError, EOFError, DBusError)


class Adapter:
    """Asks about one adapter over a connection of its own; `async with` opens it.

    Args:
        name: as the kernel calls it, `hci0`.

    Raises:
        DriverError: GONE there is no D-Bus.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._bus: MessageBus | None = None

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        except AuthError as error:
            message = "the system's D-Bus does not let this user in"
            raise gone(message, LET_IN) from error
        except BROKEN_BUS as error:  # TimeoutError is an OSError
            raise _no_bus() from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._bus is not None:
            self._bus.disconnect()

    async def check(self) -> str:
        """Make sure that the adapter is there and on.

        Returns:
            The bluetoothd that answered; another name means that it was started anew.

        Raises:
            DriverError: GONE and why.
        """
        reply = await self._call("Get", "ss", [INTERFACE, "Powered"])
        if reply.message_type is MessageType.ERROR:
            raise self._explained(reply)
        if not reply.body[0].value:
            message = f"the Bluetooth adapter {self._name} is switched off"
            raise gone(message, "sudo rfkill unblock bluetooth; bluetoothctl power on")
        return reply.sender or ""

    async def power_cycle(self) -> None:
        """Switch it off and on: what helps when the kernel and bluetoothd disagree.

        Raises:
            DriverError: GONE the bus is away; a refusal is no error.
        """
        for on in (False, True):
            await self._call("Set", "ssv", [INTERFACE, "Powered", Variant("b", value=on)])

    async def _call(self, member: str, signature: str, body: list[Any]) -> Message:
        assert self._bus is not None  # noqa: S101 - opened by `async with`
        call = Message(
            destination=BLUEZ,
            path=f"/org/bluez/{self._name}",
            interface=PROPERTIES,
            member=member,
            signature=signature,
            body=body,
        )
        with contextlib.suppress(*BROKEN_BUS):
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                reply = await self._bus.call(call)
                if reply is not None:
                    return reply
        message = "the Bluetooth service does not answer"
        raise gone(message, "sudo systemctl restart bluetooth")

    def _explained(self, reply: Message) -> DriverError:
        name = reply.error_name or ""
        if name.endswith(NO_SERVICE):
            action = "sudo apt-get install bluez; sudo systemctl enable --now bluetooth"
            return gone("the Bluetooth service is not running", action)
        if name.endswith("AccessDenied"):
            return gone("this user may not use Bluetooth", LET_IN)
        action = "Waiting for it to come back; nothing else to do after plugging it in."
        return gone(f"the Bluetooth adapter {self._name} is not there", action)


def gone(message: str, action: str) -> DriverError:
    """The radio cannot be used."""
    return DriverError(ConnectionState.GONE, message, action=action)


def _no_bus() -> DriverError:
    action = "sudo apt-get install dbus bluez; sudo systemctl start dbus bluetooth"
    return gone("there is no D-Bus, so Bluetooth cannot be used", action)
