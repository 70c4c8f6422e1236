"""Which type, order and scale make registers say what the display shows: `fieldpost probe`.

Every place around the given address is tried with every type, all four orders and the scales that
meters use; what comes within half a percent of the expected value is a guess, the plainest first.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from drivers.modbus.bus import Bus
from drivers.modbus.codec import LITTLE, SWAPPED, swapped
from drivers.modbus.frames import Refused, payload
from drivers.modbus.plan import Order, Table, Unit
from drivers.modbus.requests import read_request
from drivers.modbus.shape import NUMBERS, WIDTH

CLOSE: Final = 0.005  # relative: a display that has moved on since
SCALES: Final = (1.0, 0.1, 0.01, 0.001, 10.0, 1000.0)
LIKELY: Final = ("float32", "uint16", "int16", "int32", "uint32", "float64", "uint64", "int64")
BEFORE: Final = 1  # registers: many manuals count from one
BEHIND: Final = 4  # the widest value


@dataclass(frozen=True, slots=True)
class Guess:
    """One way to read the value.

    Attributes:
        form: as it stands behind `as:`.
    """

    table: Table
    address: int
    form: str
    order: Order
    scale: float
    value: float

    @property
    def written(self) -> str:
        """The block to paste into a profile."""
        parts = [f"read: {self.table} {self.address}", f"as: {self.form}"]
        if self.order is not Order.ABCD:
            parts.append(f"order: {self.order}")
        if self.scale != 1:
            parts.append(f"scale: {self.scale:g}")
        return f"{{{', '.join(parts)}}}"


async def probe(bus: Bus, unit: Unit, table: Table, address: int, expect: float) -> list[Guess]:
    """Read around an address and guess.

    Args:
        bus: an open line.
        unit: whom to ask, and how patiently.
        table: holding or input registers.
        address: zero-based; one before and four behind are looked at as well.
        expect: what the display shows.

    Raises:
        Silent: no answer.
        Damaged: no answer that is one.
        Refused: not even the one register can be read.
    """
    refused: Refused | None = None
    for start, count in _windows(address):
        request = read_request(unit.address, table, start, count)
        try:
            data = payload((await bus.ask(unit, request, first=True)).pdu)
        except Refused as error:
            refused = error
            continue
        if found := guesses(data, table, start, expect, near=address):
            return found
        refused = None
    if refused is not None:
        raise refused
    return []


def guesses(
    data: bytes, table: Table, start: int, expect: float, *, near: int | None = None
) -> list[Guess]:
    """All ways in which these registers mean the expected value, the likeliest first."""
    found = [g for g in _all(data, table, start) if _is(g.value, expect)]
    wanted = start if near is None else near

    def order(guess: Guess) -> tuple[float, ...]:
        return (
            abs(guess.address - wanted),
            SCALES.index(guess.scale),
            LIKELY.index(guess.form),
            [*Order].index(guess.order),
        )

    return sorted(_plainest(found), key=order)


def _windows(address: int) -> Iterator[tuple[int, int]]:
    """What to read, from most to least: a device may refuse what lies around."""
    first = max(0, address - BEFORE)
    yield first, address + BEHIND - first
    yield address, BEHIND
    yield first, address + 1 - first
    yield address, 2
    yield address, 1


def _all(data: bytes, table: Table, start: int) -> Iterator[Guess]:
    turned = swapped(data)
    for place in range(len(data) // 2):
        for form in LIKELY:
            code = NUMBERS[form]
            if 2 * (place + WIDTH[code]) > len(data):
                continue
            for order in _orders(WIDTH[code]):
                raw = turned if order in SWAPPED else data
                sign = "<" if order in LITTLE else ">"
                (value,) = struct.unpack_from(sign + code, raw, 2 * place)
                for scale in SCALES if code not in "fd" else (1.0, 1000.0, 0.001):
                    yield Guess(table, start + place, form, order, scale, value * scale)


def _orders(registers: int) -> Sequence[Order]:
    return [*Order] if registers > 1 else [Order.ABCD, Order.BADC]


def _is(value: float, expect: float) -> bool:
    return abs(value - expect) <= CLOSE * abs(expect)


def _plainest(found: Sequence[Guess]) -> list[Guess]:
    """Signed and unsigned that say the same are one guess."""
    kept: dict[tuple[object, ...], Guess] = {}
    for guess in found:
        size = guess.form.lstrip("u").replace("float", "f")
        kept.setdefault((guess.address, size, guess.order, guess.scale), guess)
    return [*kept.values()]
