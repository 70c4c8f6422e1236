"""Who has asked the stand-in BlueZ to scan: a program that leaves the bus listens no more."""

from typing import Final

from dbus_fast import Message
from dbus_fast.aio import MessageBus

BUS: Final = "org.freedesktop.DBus"
WATCHED: Final = f"type='signal',sender='{BUS}',member='NameOwnerChanged'"


class Listeners:
    """Advertisement monitors and discoveries, each with the program that wanted it."""

    def __init__(self) -> None:
        self._wanted: set[tuple[str, str]] = set()

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def add(self, call: Message, what: str) -> None:
        """The caller listens from now on."""
        self._wanted.add((call.sender or "", what))

    def discard(self, call: Message, what: str) -> None:
        """The caller has heard enough."""
        self._wanted.discard((call.sender or "", what))

    def left(self, program: str) -> None:
        """A program ended; BlueZ forgets what it wanted."""
        self._wanted = {wanted for wanted in self._wanted if wanted[0] != program}

    def clear(self) -> None:
        """Nobody listens."""
        self._wanted.clear()


async def watch(bus: MessageBus) -> None:
    """Ask to be told when programs come and go."""
    await bus.call(
        Message(
            destination=BUS,
            path="/org/freedesktop/DBus",
            interface=BUS,
            member="AddMatch",
            signature="s",
            body=[WATCHED],
        )
    )


def gone(message: Message) -> str | None:
    """The program that this signal says has left the bus."""
    if message.member != "NameOwnerChanged" or message.sender != BUS:
        return None
    name, _before, now = message.body
    return None if now else str(name)
