"""Which type, order and scale make registers say what the display shows: `fieldpost probe`.

Every place around the given address is tried with every type, all four orders and the scales that
meters use; what comes close to the expected value is a guess, the plainest first.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.driver import Asker, Candidate, DeviceFault, Place, Question, Reason
from agent.errors import ValidationError
from drivers.modbus.codec import LITTLE, SWAPPED, swapped
from drivers.modbus.faults import EXCEPTIONS
from drivers.modbus.frames import Refused, payload
from drivers.modbus.plan import DIGIT, Order, Table, manual
from drivers.modbus.requests import read_request
from drivers.modbus.shape import FLOATS, NUMBERS, WIDTH

CLOSE: Final = 0.005  # relative: a display that has moved on since
SCALES: Final = (1.0, 0.1, 0.01, 0.001, 10.0, 1000.0)
FLOAT_SCALES: Final = (1.0, 1000.0, 0.001)  # kilowatts for watts
LIKELY: Final = ("float32", "uint16", "int16", "int32", "uint32", "float64", "uint64", "int64")
BEFORE: Final = 1  # registers: many manuals count from one
BEHIND: Final = 4  # the widest value
REGISTERS: Final = (Table.INPUT, Table.HOLDING)
LAST_ADDRESS: Final = 65535
_NUMBER: Final = re.compile(r"0x[0-9A-Fa-f]{1,4}|\d{1,6}")
_MANUAL: Final = re.compile(r"[34]\d{4,5}")


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
    def settings(self) -> dict[str, str]:
        """Of the point in a profile."""
        order = {"order": str(self.order)} if self.order is not Order.ABCD else {}
        scale = {"scale": f"{self.scale:g}"} if self.scale != 1 else {}
        return {"read": f"{self.table} {self.address}", "as": self.form} | order | scale

    @property
    def written(self) -> str:
        """The block to paste into a profile."""
        return f"{{{', '.join(f'{key}: {value}' for key, value in self.settings.items())}}}"


async def probe(asker: Asker, place: Place) -> Sequence[Candidate]:
    """Read around a register and guess: see `agent.driver.Finder`."""
    found: list[Candidate] = []
    refused: list[DeviceFault] = []
    wanted = places(place.where)
    for table, address in wanted:
        try:
            start, data = await _around(asker, place.unit, table, address)
        except DeviceFault as error:
            if error.reason is not Reason.REFUSED:
                raise
            refused.append(error)
            continue
        likely = guesses(data, (table, start), place.expect, near=address, within=place.within)
        found += [_candidate(guess, data, start) for guess in likely]
    if len(refused) == len(wanted):
        raise refused[0]
    return found


def places(where: str) -> Sequence[tuple[Table, int]]:
    """`30013`, `input 12`, `12` or `0x0C` → the registers that may be meant.

    Raises:
        ValidationError: it is none of them.
    """
    table, _, number = where.strip().rpartition(" ")
    if not _NUMBER.fullmatch(number) or table not in {"", *REGISTERS}:
        message = f"'{where}' is no register: write it like 30013, input 12 or 0x0C"
        raise ValidationError(field="address", reason="malformed", message=message)
    address = int(number, 0) if number.startswith("0x") else int(number)
    found = [(each, address) for each in REGISTERS if not table or each == table]
    if not table and _MANUAL.fullmatch(number):
        printed = next(t for t in REGISTERS if str(DIGIT[t]) == number[0])
        found.insert(0, (printed, int(number[1:]) - 1))
    there = [(each, at) for each, at in found if 0 <= at <= LAST_ADDRESS]
    if not there:
        message = f"'{where}' is no register: addresses end at {LAST_ADDRESS}"
        raise ValidationError(field="address", reason="out of range", message=message)
    return there


async def _around(asker: Asker, unit: int, table: Table, address: int) -> tuple[int, bytes]:
    """Where what could be read begins, and what it is."""
    refused: Refused | None = None
    for start, count in _windows(address):
        body = read_request(unit, table, start, count).pdu
        try:
            return start, payload(await asker.ask(Question(unit, body, force=True)))
        except Refused as error:
            refused = error
    code = refused.code if refused else 0
    why = EXCEPTIONS.get(code, f"exception {code}")
    where = f"{table} {address} ({manual(table, address)})"
    message = f"address {unit} refuses to read {where}: {why}"
    raise DeviceFault(Reason.REFUSED, message, action="Is the register's number right?")


def _candidate(guess: Guess, data: bytes, start: int) -> Candidate:
    at = 2 * (guess.address - start)
    raw = data[at : at + 2 * WIDTH[NUMBERS[guess.form]]]
    return Candidate(guess.settings, guess.value, raw.hex(" ", 2).upper())


def guesses(
    data: bytes, place: tuple[Table, int], expect: float, *, near: int, within: float = CLOSE
) -> list[Guess]:
    """All ways in which these registers mean the expected value, the likeliest first."""
    found = [g for g in _all(data, *place) if _is(g.value, expect, within)]

    def order(guess: Guess) -> tuple[float, ...]:
        return (
            abs(guess.address - near),
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
    yield address, 2
    yield first, address + 1 - first
    yield address, 1


def _all(data: bytes, table: Table, start: int) -> Iterator[Guess]:
    turned = swapped(data)
    for at in range(len(data) // 2):
        forms = [form for form in LIKELY if 2 * (at + WIDTH[NUMBERS[form]]) <= len(data)]
        for form, order in ((f, o) for f in forms for o in _orders(WIDTH[NUMBERS[f]])):
            code, sign = NUMBERS[form], "<" if order in LITTLE else ">"
            (value,) = struct.unpack_from(sign + code, turned if order in SWAPPED else data, 2 * at)
            for scale in FLOAT_SCALES if code in FLOATS else SCALES:
                yield Guess(table, start + at, form, order, scale, value * scale)


def _orders(registers: int) -> Sequence[Order]:
    return [*Order] if registers > 1 else [Order.ABCD, Order.BADC]


def _is(value: float, expect: float, within: float) -> bool:
    return abs(value - expect) <= within * abs(expect)


def _plainest(found: Sequence[Guess]) -> list[Guess]:
    """Signed and unsigned that say the same are one guess."""
    kept: dict[tuple[object, ...], Guess] = {}
    for guess in found:
        size = guess.form.lstrip("u").replace("float", "f")
        kept.setdefault((guess.address, size, guess.order, guess.scale), guess)
    return [*kept.values()]
