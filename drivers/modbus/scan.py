"""Who is on a line: each address is asked one harmless question, who answers is asked who it is.

Any answer means that somebody is there, an exception too. Nothing is ever written.
"""

import struct
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.driver import Asker, DeviceFault, Question, Search, Sighting, Step
from agent.errors import ValidationError
from drivers.modbus.fingerprint import Identity, identity
from drivers.modbus.frames import Refused, payload
from drivers.modbus.layout import REGISTER
from drivers.modbus.plan import Table
from drivers.modbus.requests import REFUSAL, harmless, read_request

ALL: Final = range(1, 248)
PATIENCE_S: Final = 0.3  # for who has answered once
PLAUSIBLE: Final = (0.001, 1e7)  # a float32 between these, either sign, is likely a measured value
NOBODY: Final = frozenset({10, 11})  # what a converter answers for who is not there
FAILED: Final = 4  # what some servers answer for a unit they do not have


async def scan(asker: Asker, search: Search) -> AsyncGenerator[Step, None]:
    """Ask one address after the other: see `agent.driver.Finder`."""
    wanted = [(line, address) for line in search.lines for address in search.addresses]
    unfit: set[str] = set()
    for done, (line, address) in enumerate(wanted, 1):
        if done > search.done:
            unknown = Unknown(asker, search, line, address)
            found = await unknown.look_if_fit(unfit)
            yield Step(done, len(wanted), line, address, found)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Whoever is at one address."""

    asker: Asker
    search: Search
    line: str
    address: int

    async def look_if_fit(self, unfit: set[str]) -> Sighting | None:
        """As `look`; what a port cannot be set to is tried once and goes into `unfit`."""
        try:
            return None if self.line in unfit else await self.look()
        except ValidationError as error:
            if error.field != "line":
                raise
            unfit.add(self.line)
            return None

    async def look(self) -> Sighting | None:
        """Who it is, or None when nobody is there."""
        first = await self._first()
        if first is None or not await self._somebody(first):
            return None
        known = await identity(self.ask, self.address)
        profiles, sure = await self._profiles(known)
        says = known.says or await self._says()
        return Sighting(self.address, self.line, profiles, sure, known.name, says)

    async def _first(self) -> bytes | None:
        """Any answer; who has no holding registers and no manners is silent at the first question.

        Nearly everybody answers the first one, if only by refusing it.
        """
        for table in (Table.HOLDING, Table.INPUT):
            answer = await self.ask(read_request(self.address, table, 0, 1).pdu, first=True)
            if answer is not None:
                return answer
        return None

    async def ask(self, body: bytes, *, first: bool = False) -> bytes | None:
        """What it answers, or None."""
        question = Question(
            unit=self.address,
            body=body,
            timeout_s=self.search.timeout_s if first else max(PATIENCE_S, self.search.timeout_s),
            line=self.line,
            force=self.search.force,
        )
        try:
            return await self.asker.ask(question)
        except DeviceFault:
            return None

    async def _somebody(self, first: bytes) -> bool:
        """Whether a device has answered, not a converter or server in its place."""
        if first[0] & REFUSAL and first[1] == FAILED:
            first = await self.ask(read_request(self.address, Table.INPUT, 0, 1).pdu) or first
        return not (first[0] & REFUSAL and first[1] in {*NOBODY, FAILED})

    async def _profiles(self, known: Identity) -> tuple[Sequence[str], bool]:
        """The profiles whose marks are there; without an expected value a mark is a hint."""
        sure: list[tuple[int, str]] = []
        hints: list[str] = []
        answers: dict[bytes, bytes | None] = {}
        for mark in filter(known.fits, self.search.marks()):
            if mark.body not in answers:
                answers[mark.body] = await self._data(mark.body)
            data = answers[mark.body]
            if data is None:
                continue
            if mark.expect is None:
                hints += [mark.profile] if _says_something(data) else []
            elif _matches(data, mark.expect):
                sure.append((len(mark.expect), mark.profile))
        sure.sort(reverse=True)
        likely = [name for name in known.likely(self.search.marks()) if name not in hints]
        return [name for _, name in sure] or [*likely, *hints], bool(sure)

    async def _data(self, body: bytes) -> bytes | None:
        request = harmless(self.address, body)
        pdu = await self.ask(body) if request else None
        try:
            return payload(pdu) if pdu else None
        except Refused:
            return None

    async def _says(self) -> str:
        for table in (Table.INPUT, Table.HOLDING):
            data = await self._data(read_request(self.address, table, 0, 2).pdu)
            if data is not None:
                return f"{table} 0..1 = {data.hex(' ', 2).upper()}{_perhaps(data)}"
        return ""


def _matches(data: bytes, expect: str) -> bool:
    text = data.split(b"\0", 1)[0].decode("ascii", "replace").strip()
    return text.startswith(expect) or str(int.from_bytes(data)) == expect


def _says_something(data: bytes) -> bool:
    """It may be a serial number: longer than a register, not empty, not all ones."""
    return len(data) > REGISTER and any(data) and data != b"\xff" * len(data)


def _perhaps(data: bytes) -> str:
    """What two registers may mean."""
    low, high = PLAUSIBLE
    for words, order in ((data, "ABCD"), (data[2:] + data[:2], "CDAB")):
        (value,) = struct.unpack(">f", words)
        if low <= abs(value) <= high:
            return f" ({value:.6g} as float32 {order})"
    return ""
