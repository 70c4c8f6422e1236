"""What a device says of itself: FC 43 device identification and the SunSpec common model.

Sources: Modbus application protocol V1.1b3, 6.21; SunSpec Alliance, device information model
specification 1.0 (the marker `SunS`, then models: id, length, points) and model 1 (common).
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.driver import Mark
from drivers.modbus.frames import Refused, payload
from drivers.modbus.plan import Table
from drivers.modbus.requests import identification, identification_request, read_request

SUNSPEC_BASES: Final = (40000, 50000, 0)
SUNSPEC: Final = b"SunS"
COMMON: Final = (2, 52)  # registers of model 1 behind the marker: id, length, maker, model, ...
TEXTS: Final = ((2, 16), (18, 16), (42, 8))  # maker, model, version within them
END_OF_MODELS: Final = 0xFFFF
MOST_MODELS: Final = 16
SHORTEST_CODE: Final = 4  # of a product code that is looked for in names of profiles

Ask = Callable[[bytes], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class Identity:
    """What it calls itself.

    Attributes:
        code: of the product, as the maker writes it.
        says: more about it, for a person.
        models: of SunSpec, that it has.
    """

    name: str = ""
    code: str = ""
    says: str = ""
    models: Sequence[int] = ()

    def fits(self, mark: Mark) -> bool:
        """Whether it has what the profile reads, as far as its list of models goes."""
        known = 0 < len(self.models) < MOST_MODELS
        return not (known and mark.models and mark.models.isdisjoint(self.models))

    def likely(self, marks: Iterable[Mark]) -> Sequence[str]:
        """Profiles that have the product's code in their names."""
        code = _plain(self.code)
        if len(code) < SHORTEST_CODE:
            return []
        names = dict.fromkeys(mark.profile for mark in marks)
        return [name for name in names if code in _plain(name)]


async def identity(ask: Ask, unit: int) -> Identity:
    """Ask a device who it is, in all the ways there are."""
    sunspec = await _sunspec(ask, unit)
    if sunspec is not None:
        return sunspec
    pdu = await ask(identification_request(unit).pdu)
    told = identification(pdu) if pdu else {}
    parts = [told.get(part, "") for part in range(3)]
    return Identity(" ".join(filter(None, parts)), parts[1])


async def _sunspec(ask: Ask, unit: int) -> Identity | None:
    for base in SUNSPEC_BASES:
        if await _registers(ask, unit, base, 2) != SUNSPEC:
            continue
        common = await _registers(ask, unit, base + COMMON[0], COMMON[1]) or b""
        texts = [_text(common[2 * at : 2 * (at + size)]) for at, size in TEXTS]
        models = await _models(ask, unit, base + len(SUNSPEC) // 2)
        at = "" if base == SUNSPEC_BASES[0] else f" at {base}"
        says = f"SunSpec{at}, models {', '.join(map(str, models))}" if models else f"SunSpec{at}"
        return Identity(" ".join(filter(None, texts)), texts[1], says, models)
    return None


async def _models(ask: Ask, unit: int, at: int) -> list[int]:
    """Which models it has, one behind the other until the end mark."""
    found: list[int] = []
    while len(found) < MOST_MODELS:
        head = await _registers(ask, unit, at, 2)
        if head is None or int.from_bytes(head[:2]) == END_OF_MODELS:
            break
        found.append(int.from_bytes(head[:2]))
        at += 2 + int.from_bytes(head[2:])
        if at > 0xFFFF:  # noqa: PLR2004 -- the last register there can be
            break
    return found


async def _registers(ask: Ask, unit: int, start: int, count: int) -> bytes | None:
    pdu = await ask(read_request(unit, Table.HOLDING, start, count).pdu)
    try:
        return payload(pdu) if pdu else None
    except Refused:
        return None


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("ascii", "replace").strip()


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())
