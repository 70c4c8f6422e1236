"""What is said on a line, in words: questions with both kinds of address, answers as values. Pure.

Source: Modbus application protocol V1.1b3, section 6 (how questions and answers are laid out).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from agent.sample import Value
from drivers.modbus.faults import EXCEPTIONS
from drivers.modbus.layout import Field, fields_of
from drivers.modbus.plan import FUNCTION, Line, Table, Unit, manual
from drivers.modbus.requests import REFUSAL, identification
from drivers.modbus.window import values_in

TABLES: Final = {code: table for table, code in FUNCTION.items()}
WRITTEN: Final = {5: Table.COIL, 6: Table.HOLDING, 15: Table.COIL, 16: Table.HOLDING}
SEVERAL: Final = frozenset({15, 16})
WRITE_COIL: Final = 5
REPORT: Final = 17
MASK: Final = 22
IDENTIFICATION: Final = 43
FEW_WORDS: Final = 8  # registers that are shown as they stand
MOST_VALUES: Final = 12
QUESTION_BYTES: Final = 5  # function, address, count or value


class Telling:
    """Says what passes on a line.

    Args:
        line: its plan, for what registers mean.
    """

    def __init__(self, line: Line) -> None:
        self._units = {unit.address: unit for unit in line.units}
        self._fields = {unit.address: [*_all(unit)] for unit in line.units}

    def device(self, unit: int) -> str | None:
        """The configured device at this address."""
        return self._units[unit].device if unit in self._units else None

    def question(self, unit: int, pdu: bytes) -> str:
        """`2 reads input 12..13 (30013)`."""
        function = pdu[0]
        if len(pdu) >= QUESTION_BYTES and function in TABLES:
            start, count = _numbers(pdu)
            return f"{unit} reads {_span(TABLES[function], start, count)}"
        if len(pdu) >= QUESTION_BYTES and function in WRITTEN:
            return f"{unit} writes {_written(pdu)}"
        names = {IDENTIFICATION: "who are you?", REPORT: "what are you?", MASK: "masks holding"}
        return f"{unit} {names.get(function, f'function {function}')} {_hex(pdu[1:])}".rstrip()

    def answer(self, unit: int, asked: bytes, said: bytes) -> str:
        """`power 2104.3 W`, or the registers where nothing is known about them."""
        if said[0] & REFUSAL:
            why = EXCEPTIONS.get(said[1], "unknown reason")
            return f"refuses: {why} (exception {said[1]})"
        if said[0] == IDENTIFICATION:
            return " ".join(filter(None, identification(said).values())) or _hex(said[1:])
        if said[0] not in TABLES:
            return "done" if said[0] in {*WRITTEN, MASK} else _hex(said[1:])
        table, (start, count) = TABLES[said[0]], _numbers(asked)
        return self._values(unit, (table, start, count), said[2:]) or _raw(table, said[2:])

    def _values(self, unit: int, where: tuple[Table, int, int], data: bytes) -> str:
        known = self._units.get(unit)
        if known is None:
            return ""
        values = values_in(self._fields[unit], known.conversions, where, data)
        said = [_value(name, value, known.units.get(name)) for name, value in values.items()]
        more = len(said) - MOST_VALUES
        return "  ".join(said[:MOST_VALUES]) + (f"  and {more} more" if more > 0 else "")


def _all(unit: Unit) -> Iterable[Field]:
    """Every point of a unit once; in several rounds it may stand in different blocks."""
    blocks = (block for each in unit.rounds for block in each.blocks)
    return {field.point: field for block in blocks for field in fields_of(block)}.values()


def _numbers(pdu: bytes) -> tuple[int, int]:
    """Address, and count or value."""
    return int.from_bytes(pdu[1:3]), int.from_bytes(pdu[3:5])


def _span(table: Table, start: int, count: int) -> str:
    last = f"..{start + count - 1}" if count > 1 else ""
    return f"{table} {start}{last} ({manual(table, start)})"


def _written(pdu: bytes) -> str:
    (start, value), function = _numbers(pdu), pdu[0]
    if function in SEVERAL:
        return f"{_span(WRITTEN[function], start, value)} = {_hex(pdu[6:], 2)}"
    said = f"{value:04X}"
    if function == WRITE_COIL:
        said = "on" if value else "off"
    return f"{_span(WRITTEN[function], start, 1)} = {said}"


def _raw(table: Table, data: bytes) -> str:
    group = 1 if table.of_bits else 2
    more = " ..." if len(data) > FEW_WORDS * group else ""
    return _hex(data[: FEW_WORDS * group], group) + more


def _value(name: str, value: Value, unit: str | None) -> str:
    shown = f"{value:.7g}" if isinstance(value, float) else str(value)
    if isinstance(value, bool):
        shown = "yes" if value else "no"
    return f"{name} {shown} {unit}" if unit else f"{name} {shown}"


def _hex(data: Sequence[int] | bytes, group: int = 1) -> str:
    return bytes(data).hex(" ", group).upper()
