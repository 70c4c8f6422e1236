"""A profile of a Modbus device: which registers mean what (`config-and-cli`, section 4)."""

import re
from typing import Annotated, Any, Final, Self

from pydantic import Field, PlainValidator, model_validator

from agent.prepare.kinds import ProfileSettings, Settings
from agent.prepare.points import PointSettings
from agent.prepare.types import (
    Interval,
    Number,
    Seconds,
    Switch,
    Whole,
    as_text,
    closest,
    refuse,
    text,
    whole_between,
)
from drivers.modbus.merge import MOST_REGISTERS
from drivers.modbus.plan import DIGIT, Model, Order, Table
from drivers.modbus.shape import NUMBERS, Shape, shape

LAST_ADDRESS: Final = 65535
SHAPES: Final = (
    *NUMBERS, "uint8h", "uint8l", "int8h", "int8l", "text(n)", "bits", "bit(n)", "bits(a-b)",
    "flags", "bcd", "decimal(n)", "time(unix)", "time(words)", "time(pairs)", "time(cp56)",
)  # fmt: skip
_HEX: Final = re.compile(r"(0x[0-9A-Fa-f]{1,16})( 0x[0-9A-Fa-f]{1,16})*")
_MANUAL: Final = re.compile(r"[0134]\d{4,5}")

Where = tuple[Table, int]


def where(value: Any) -> Where:
    """`holding 0`, `input 0x0C` → table and zero-based address."""
    words = text(value).split()
    tables = [str(t) for t in Table]
    if not words or words[0] not in tables:
        near = closest(words[0], tables) if words else None
        fix = f"did you mean {near}?" if near else f"write one of {', '.join(tables)}"
        refuse(f"'{text(value)}' does not begin with a kind of register", fix=fix, code="read")
    address = _address(words[1]) if len(words) == 2 else None  # noqa: PLR2004 -- table, address
    if address is None:
        fix = "write the kind and the zero-based address, like  input 12  or  holding 0x0100"
        refuse(f"'{text(value)}' is not an address", fix=fix, code="read")
    return Table(words[0]), address


def manual(value: Any) -> Where:
    """`30013` → input, 12."""
    written = text(value)
    number = int(written[1:]) if _MANUAL.fullmatch(written) else 0
    if not 1 <= number <= LAST_ADDRESS + 1:
        fix = "write it as printed: 3xxxx input, 4xxxx holding, 1xxxx discrete, 0xxxx coil"
        refuse(f"'{written}' is not a number of a register in a manual", fix=fix, code="manual")
    table = next(t for t, digit in DIGIT.items() if str(digit) == written[0])
    return table, number - 1


def form(value: Any) -> Shape:
    """`float32`, `text(16)`, `bit(3)` → how its bytes are read."""
    written = text(value)
    found = shape(written)
    if found is None:
        near = closest(written, NUMBERS)
        fix = f"did you mean {near}?" if near else f"write one of {', '.join(SHAPES)}"
        refuse(f"'{written}' is not a kind of value we know", fix=fix, code="as")
    return found


def order(value: Any) -> Order:
    """`ABCD`, `CDAB`, `BADC` or `DCBA`."""
    written = text(value).upper()
    if written not in list(Order):
        fix = f"write one of {', '.join(Order)}"
        refuse(f"'{text(value)}' is not an order of bytes", fix=fix, code="order")
    return Order(written)


def patterns(value: Any) -> tuple[int, ...]:
    """`0x7FC00000 0x8000` → numbers."""
    written = " ".join(text(value).split())
    if not _HEX.fullmatch(written):
        fix = "write hex numbers with blanks between, like 0x8000 or 0x7FC00000 0xFFFF"
        refuse(f"'{written}' is not a list of hex numbers", fix=fix, code="nan")
    return tuple(int(word, 16) for word in written.split())


def frame(value: Any) -> bytes:
    """`01 04 04 …` → bytes."""
    try:
        return bytes.fromhex(text(value))
    except ValueError:
        refuse("this is not a frame in hex", fix="write pairs of 0-9 A-F", code="frame")


def ranges(value: Any) -> dict[Table, list[tuple[int, int]]]:
    """`holding 100-199, input 5-5` → by table."""
    found: dict[Table, list[tuple[int, int]]] = {}
    for part in text(value).split(","):
        match = re.fullmatch(r"(\w+) (\w+)-(\w+)", part.strip())
        low, high = (_address(match[2]), _address(match[3])) if match else (None, None)
        known = match is not None and match[1] in list(Table)
        if match is None or not known or low is None or high is None or low > high:
            fix = "write the kind and the addresses, like  holding 100-199, input 0-9"
            refuse(f"'{part.strip()}' is not a range of registers", fix=fix, code="never")
        found.setdefault(Table(match[1]), []).append((low, high))
    return found


def model_places(value: Any) -> tuple[Model, ...]:
    """`101-103 at 40070, 160 at 41000 if there` → the models, as the points assume them."""
    found = []
    for part in text(value).split(","):
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))? at (\w+)( if there)?", part.strip())
        at = _address(match[3]) if match else None
        if match is None or at is None:
            fix = "write the numbers and where the points assume them, like  101-103 at 40070"
            refuse(f"'{part.strip()}' is not a SunSpec model and its place", fix=fix, code="models")
        optional = match[4] is not None
        found.append(Model(int(match[1]), int(match[2] or match[1]), at, optional))
    return tuple(found)


def _address(written: str) -> int | None:
    known = re.fullmatch(r"0x[0-9A-Fa-f]{1,4}|\d{1,5}", written)
    address = int(written, 16 if written.startswith("0x") else 10) if known else -1
    return address if 0 <= address <= LAST_ADDRESS else None


_PLACE = as_text(r"^(holding|input|coil|discrete) (\d{1,5}|0x[0-9A-Fa-f]{1,4})$", "input 12")
Place = Annotated[Where, PlainValidator(where), _PLACE]
ManualPlace = Annotated[Where, PlainValidator(manual), as_text(r"^[0134]\d{4,5}$", "30013")]
Form = Annotated[Shape, PlainValidator(form), as_text(r"^\w+(\([0-9-]+\))?$", "float32")]
ByteOrder = Annotated[Order, PlainValidator(order), as_text("^(ABCD|CDAB|BADC|DCBA)$", "ABCD")]
Models = Annotated[
    tuple[Model, ...],
    PlainValidator(model_places),
    as_text(r"^\d+(-\d+)? at \w+", "101-103 at 40070"),
]


class ModbusPoint(PointSettings):
    """One value: where it stands, how it is written there, and what it means."""

    read: Place | None = None
    manual: ManualPlace | None = None
    form: Form | None = Field(None, alias="as")
    order: ByteOrder | None = None
    scale: Number = 1.0
    offset: Number = 0.0
    exponent: Place | None = None
    multiply_by: Place | None = None
    divide_by: Place | None = None
    nan: Annotated[
        tuple[int, ...], PlainValidator(patterns), as_text("^0x[0-9A-Fa-f]+", "0x8000")
    ] = ()
    values: dict[str, str] = Field(default_factory=dict)
    write: Switch = False
    every: Interval | None = None

    @property
    def where(self) -> Where:
        """Table and zero-based address."""
        found = self.read or self.manual
        assert found is not None  # noqa: S101 -- by the check below
        return found

    @property
    def span(self) -> tuple[int, int]:
        """First and last address."""
        first = self.where[1]
        return first, first + (self.form.registers if self.form else 1) - 1

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if (self.read is None) == (self.manual is None):
            fix = "write one of  read: input 12  and  manual: 30013"
            refuse("a point needs the place of its register, once", fix=fix, code="read")
        of_bits = self.where[0].of_bits
        if self.form is None and not of_bits:
            fix = f"add  as: ...  one of {', '.join(SHAPES)}"
            refuse("this point does not say what kind of value it is", fix=fix, code="as")
        if self.form is not None and of_bits:
            fix = "remove  as:"
            refuse("a coil or discrete input is a single bit already", fix=fix, code="as")
        first, last = self.span
        if last > LAST_ADDRESS:
            message = f"{last - first + 1} registers from {first} on end behind {LAST_ADDRESS}"
            refuse(message, fix="look at the address and at  as:", code="read")
        return self


class Identify(Settings):
    """One harmless read that tells the model.

    `expect` is what it says there: a text that the answer begins with, or a number.
    """

    read: Place
    form: Form = Field(alias="as")
    order: ByteOrder | None = None
    expect: str | None = None


class Golden(Settings):
    """A frame as a device sent it, and what must come out of it.

    `ask` is the request; without it the answer begins at the first expected point's register.
    `instead`: of a device with the models below `instead:`.
    """

    frame: Annotated[bytes, PlainValidator(frame), as_text("^[0-9A-Fa-f ]+$")]
    ask: Annotated[bytes | None, PlainValidator(frame), as_text("^[0-9A-Fa-f ]+$")] = None
    expect: dict[str, str]
    instead: Switch = False


class Instead(Settings):
    """The same points in other models, for devices that have these."""

    models: Models
    points: dict[str, ModbusPoint]


class ModbusProfile(ProfileSettings):
    """A whole profile.

    `block`, `hole` and `never` are the device's limits: most registers in one request, most unused
    ones that may be read through, ranges that must not be touched. `models` are those
    of SunSpec that have to be found on the device, `instead` says where its points stand when it
    has others. `source` names the maker's register list and its version.
    """

    source: str = ""
    order: ByteOrder = Order.ABCD
    timeout: Interval | None = None
    gap: Seconds = 0.0
    block: Annotated[int, *whole_between(1, MOST_REGISTERS, "a request")] = MOST_REGISTERS
    hole: Whole = 32
    never: Annotated[
        dict[Table, list[tuple[int, int]]], PlainValidator(ranges), as_text(r"^\w+ \w+-\w+", "")
    ] = Field(default_factory=dict)
    models: Models = ()
    points: dict[str, ModbusPoint]
    instead: Instead | None = None
    identify: Identify | None = None
    test: Golden | None = None
    tests: dict[str, Golden] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _the_same_points(self) -> Self:
        others = [p for p in self.instead.points if p not in self.points] if self.instead else []
        if others:
            fix = "give it a place below  points:  too"
            refuse(f"'{others[0]}' stands below  instead:  alone", fix=fix, code="instead")
        if self.instead and not self.models:
            fix = "add  models: ...  beside  points:"
            refuse("instead of which models?", fix=fix, code="instead")
        return self

    @model_validator(mode="after")
    def _what_the_device_can_take(self) -> Self:
        others = self.instead.points if self.instead else {}
        for name, point in [*self.points.items(), *others.items()]:
            first, last = point.span
            self._may_be_read(name, point.where[0], first, last)
            for table, at in filter(None, (point.exponent, point.multiply_by, point.divide_by)):
                self._may_be_read(name, table, at, at)
        return self

    def _may_be_read(self, name: str, table: Table, first: int, last: int) -> None:
        if any(low <= last and first <= high for low, high in self.never.get(table, ())):
            where = f"{table} {first}" if first == last else f"{table} {first}-{last}"
            fix = "remove the point, or take these registers out of  never:"
            refuse(f"'{name}' needs {where}, which  never:  forbids", fix=fix, code="never")
        count = last - first + 1
        if count > self.block:
            message = f"'{name}' has {count} registers, and a request may ask for {self.block}"
            refuse(message, fix=f"write  block: {count}  if the device takes it", code="block")
