"""Who has asked the stand-in BlueZ to scan: a program that leaves the bus listens no more.

A discovery hears everybody; an advertisement monitor only those that one of its patterns fits.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from agent.demo import air

MONITOR: Final = "org.bluez.AdvertisementMonitor1"
EXPORTED_WITHIN_S: Final = 1.0  # a program shows its monitor after it was told to go on
LOOKS_S: Final = 0.01
Patterns = Sequence[tuple[int, int, bytes]]  # first byte, type of advertising data, content
BUS: Final = "org.freedesktop.DBus"
WATCHED: Final = f"type='signal',sender='{BUS}',member='NameOwnerChanged'"


class Listeners:
    """Advertisement monitors and discoveries, each with the program that wanted it."""

    def __init__(self) -> None:
        self._wanted: dict[tuple[str, str], Patterns | None] = {}

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def add(self, call: Message, what: str, patterns: Patterns | None = None) -> None:
        """The caller listens from now on; without patterns to everybody."""
        self._wanted[call.sender or "", what] = patterns

    def discard(self, call: Message, what: str) -> None:
        """The caller has heard enough."""
        self._wanted.pop((call.sender or "", what), None)

    def left(self, program: str) -> None:
        """A program ended; BlueZ forgets what it wanted."""
        self._wanted = {one: what for one, what in self._wanted.items() if one[0] != program}

    def hear(self, advert: air.Advert) -> bool:
        """Whether somebody wants this one."""
        said = list(air.structures(advert))
        return any(
            patterns is None or any(_fits(pattern, said) for pattern in patterns)
            for patterns in self._wanted.values()
        )

    def clear(self) -> None:
        """Nobody listens."""
        self._wanted.clear()


async def patterns(bus: MessageBus, call: Message) -> Patterns:
    """What the monitor that was just registered listens for; nothing when it never appears."""
    ask = {
        "destination": call.sender,
        "path": call.body[0],
        "interface": "org.freedesktop.DBus.Properties",
        "member": "Get",
        "signature": "ss",
        "body": [MONITOR, "Patterns"],
    }
    for _ in range(int(EXPORTED_WITHIN_S / LOOKS_S)):
        reply = await bus.call(Message(**ask))
        if reply.message_type is MessageType.METHOD_RETURN:
            return [(start, kind, bytes(content)) for start, kind, content in reply.body[0].value]
        await asyncio.sleep(LOOKS_S)
    return []


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


def _fits(pattern: tuple[int, int, bytes], said: Sequence[tuple[int, bytes]]) -> bool:
    start, kind, content = pattern
    return any(kind == one and data[start:].startswith(content) for one, data in said)
