"""Who is on a line: each address is asked one harmless question, who answers is asked who it is.

Any answer means that somebody is there, but for one that refuses everything. Nothing is ever
written. Who answers at several settings of the line is one device: a port may not know what a
speed is, as a pty, and a converter may not care.
"""

import struct
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agent.driver import Asker, DeviceFault, Mark, Question, Search, Sighting, Step
from agent.errors import ValidationError
from drivers.modbus.evidence import MOST_PROFILES, guessed, names
from drivers.modbus.faults import EXCEPTIONS
from drivers.modbus.fingerprint import Identity, identity
from drivers.modbus.frames import Refused, payload
from drivers.modbus.plan import Table
from drivers.modbus.requests import REFUSAL, harmless, read_request

ALL: Final = range(1, 248)
PATIENCE_S: Final = 0.3  # for who has answered once
PLAUSIBLE: Final = (0.001, 1e7)  # a float32 between these, either sign, is likely a measured value
NOBODY: Final = frozenset({10, 11})  # what a converter answers for who is not there
FAILED: Final = frozenset({4, 5, 6})  # what some servers answer for a unit they do not have


async def scan(asker: Asker, search: Search) -> AsyncGenerator[Step, None]:
    """Ask one address after the other: see `agent.driver.Finder`."""
    wanted = [(line, address) for line in search.lines for address in search.addresses]
    unfit: set[str] = set()
    known = list(search.found)
    for done, (line, address) in enumerate(wanted, 1):
        if done > search.done:
            unknown = Unknown(asker, search, line, address)
            found = await unknown.look_if_fit(unfit)
            found = _once_more(known, found) if found else None
            yield Step(done, len(wanted), line, address, found)


def _once_more(known: list[Sighting], found: Sighting) -> Sighting:
    """The one it is among those who answered at other settings; it stays in `known`."""
    for place, one in enumerate(known):
        if one.line != found.line and _who(one) == _who(found):
            if found.line not in one.also:
                known[place] = replace(one, also=[*one.also, found.line])
            return known[place]
    known.append(found)
    return found


def _who(one: Sighting) -> tuple[object, ...]:
    """What does not change while it measures."""
    return one.address, one.name, one.refuses


@dataclass(frozen=True, slots=True)
class _Here:
    """The wire, set as it is for this search."""

    asker: Asker
    line: str
    force: bool

    async def ask(self, question: Question) -> bytes:
        """See `agent.driver.Asker`."""
        return await self.asker.ask(replace(question, line=self.line, force=self.force))


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
        if first is None:
            return None
        refusal = await self._refusal(first)
        if refusal:
            why = EXCEPTIONS.get(refusal, "unknown reason")
            says = f"answers, but only with exception {refusal}: {why}"
            return Sighting(self.address, self.line, says=says, refuses=True)
        known = await identity(self.ask, self.address)
        profiles, sure, why = await self._profiles(known)
        says = known.says or await self._says()
        return Sighting(
            self.address, self.line, profiles, sure=sure, name=known.name, says=says, why=why
        )

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
        )
        try:
            return await self._here().ask(question)
        except DeviceFault:
            return None

    def _here(self) -> _Here:
        return _Here(self.asker, self.line, self.search.force)

    async def _refusal(self, first: bytes) -> int:
        """The exception that is all it says, 0 when it says more than that.

        A converter or a server may say it in the place of a device; so both tables are asked.
        """
        if _code(first) in FAILED:
            first = await self.ask(read_request(self.address, Table.INPUT, 0, 1).pdu) or first
        return _code(first) if _code(first) in NOBODY | FAILED else 0

    async def _profiles(self, known: Identity) -> tuple[Sequence[str], bool, str]:
        """The profiles that fit, whether the first is sure, else what speaks for it."""
        marks = [*filter(known.fits, self.search.marks())]
        read = await self._marks(marks)
        sure = [(len(m.expect), m.profile) for m, d in read if m.expect and _matches(d, m.expect)]
        if sure:
            return [name for _, name in sorted(sure, reverse=True)][:MOST_PROFILES], True, ""
        hints = [(mark, data) for mark, data in read if mark.expect is None]
        said = {mark.profile: text for mark, data in hints if (text := names(data, mark.profile))}
        said |= dict.fromkeys(known.likely(marks), known.name)
        if said:
            return [*said][:MOST_PROFILES], False, f"it calls itself {next(iter(said.values()))}"
        possible = [mark for mark, data in hints if _says_something(data)]
        found = await guessed(possible, self._here(), self.address, self.search.trial)
        why = f"{', '.join(found[0].right)} stand where it has them" if found else ""
        return [guess.profile for guess in found], False, why

    async def _marks(self, marks: Sequence[Mark]) -> list[tuple[Mark, bytes]]:
        """What stands where each profile looks, each place read once."""
        answers = {body: await self._data(body) for body in dict.fromkeys(m.body for m in marks)}
        return [(mark, data) for mark in marks if (data := answers[mark.body]) is not None]

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


def _code(answer: bytes) -> int:
    """The exception that an answer is, else 0."""
    return answer[1] if answer[0] & REFUSAL else 0


def _matches(data: bytes, expect: str) -> bool:
    text = data.split(b"\0", 1)[0].decode("ascii", "replace").strip()
    return text.startswith(expect) or str(int.from_bytes(data)) == expect


def _says_something(data: bytes) -> bool:
    """Neither empty nor all ones."""
    return any(data) and data != b"\xff" * len(data)


def _perhaps(data: bytes) -> str:
    """What two registers may mean."""
    low, high = PLAUSIBLE
    for words, order in ((data, "ABCD"), (data[2:] + data[:2], "CDAB")):
        (value,) = struct.unpack(">f", words)
        if low <= abs(value) <= high:
            return f" ({value:.6g} as float32 {order})"
    return ""
