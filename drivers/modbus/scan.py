"""Who is on a line: one harmless read for each address, and what it says of itself.

Any answer means that somebody is there, an exception too. Who is there is asked for its device
identification (function 43/14) and for what the profiles know their models by.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from drivers.modbus.bus import Bus
from drivers.modbus.frames import Damaged, Refused, Silent, payload
from drivers.modbus.plan import Line, SerialPort, Table, Unit
from drivers.modbus.requests import Request, identification, identification_request, read_request

PATIENCE_S: Final = 0.2  # most meters answer within 50 ms; the configured timeout is for reading
ALL: Final = range(1, 248)
USUAL_LINES: Final = ("9600 8N1", "9600 8E1", "19200 8E1", "19200 8N1", "38400 8N1", "2400 8N1")
PLAUSIBLE: Final = (0.001, 1e7)  # a float32 between these, either sign, is likely a measured value


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a profile knows its model by.

    Attributes:
        expect: what the answer begins with, as text; None: any answer is a hint.
    """

    profile: str
    table: Table
    address: int
    count: int
    expect: str | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody at an address.

    Attributes:
        profile: one that fits, or None.
        sure: the profile's own mark was found, not only a register where it would be.
        name: what it calls itself.
        says: its first registers, for a person.
    """

    address: int
    line: str
    profile: str | None
    sure: bool
    name: str
    says: str


class Scan:
    """Looks for units on an open line.

    Args:
        bus: the line; its schedule goes on between two questions.
        line: how it is set, `9600 8N1`, for the report.
        fingerprints: of the profiles to recognise.
    """

    def __init__(self, bus: Bus, line: str, fingerprints: Sequence[Fingerprint] = ()) -> None:
        self._bus, self._line, self._fingerprints = bus, line, fingerprints

    async def look(
        self, addresses: Iterable[int], tell: Callable[[int, Present | None], None]
    ) -> None:
        """Ask one address after the other.

        Args:
            addresses: unit ids, 1 to 247.
            tell: called for each address, with who is there or None; a scan that is cancelled can
                go on behind the last one.

        Raises:
            DriverError: the line was lost.
        """
        for address in addresses:
            tell(address, await self.at(address))

    async def at(self, address: int) -> Present | None:
        """Who is at this address."""
        first = await self._ask(address, read_request(address, Table.HOLDING, 0, 1))
        if first is None:
            return None
        told = identification(await self._ask(address, identification_request(address)) or b"\0")
        name = " ".join(filter(None, (told.get(0, ""), told.get(1, ""), told.get(2, ""))))
        profile, sure = await self._profile(address)
        return Present(address, self._line, profile, sure, name, await self._says(address))

    async def _profile(self, address: int) -> tuple[str | None, bool]:
        """The profile whose mark is there; without marks nothing is claimed."""
        for mark in self._fingerprints:
            request = read_request(address, mark.table, mark.address, mark.count)
            pdu = await self._ask(address, request)
            if pdu is None or mark.expect is None:
                continue
            try:
                data = payload(pdu)
            except Refused:
                continue
            if _matches(data, mark.expect):
                return mark.profile, True
        return None, False

    async def _says(self, address: int) -> str:
        for table in (Table.INPUT, Table.HOLDING):
            pdu = await self._ask(address, read_request(address, table, 0, 2))
            if pdu is None:
                continue
            try:
                data = payload(pdu)
            except Refused:
                continue
            return f"{table} 0..1 = {data.hex(' ', 2).upper()}{_perhaps(data)}"
        return ""

    async def _ask(self, address: int, request: Request) -> bytes | None:
        """The answer's PDU, an exception included, or None when nobody answers."""
        unit = Unit("", address, "", PATIENCE_S, 0.0, ())
        try:
            return (await self._bus.ask(unit, request)).pdu
        except (Silent, Damaged):
            return None


async def scan_port(
    places: Sequence[SerialPort],
    addresses: Iterable[int],
    fingerprints: Sequence[Fingerprint],
    tell: Callable[[int, Present | None], None],
) -> None:
    """Look on a port that nobody else uses, with one line setting after the other.

    Raises:
        DriverError: the port is absent, or belongs to another program.
    """
    wanted = list(addresses)
    for place in places:
        async with Bus(Line("scan", "rtu", 0.0, (), serial=place)) as bus:
            await Scan(bus, place.written, fingerprints).look(wanted, tell)


def _matches(data: bytes, expect: str) -> bool:
    text = data.split(b"\0", 1)[0].decode("ascii", "replace").strip()
    return text.startswith(expect) or str(int.from_bytes(data)) == expect


def _perhaps(data: bytes) -> str:
    """What two registers may mean."""
    low, high = PLAUSIBLE
    for sign, words, order in ((">", data, "ABCD"), (">", data[2:] + data[:2], "CDAB")):
        (value,) = struct.unpack(f"{sign}f", words)
        if low <= abs(value) <= high:
            return f" ({value:.6g} as float32 {order})"
    return ""
