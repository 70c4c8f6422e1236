"""A plan says exactly what single reads would: all types, holes, forbidden ranges, refusals."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent import plan
from agent.driver import DeviceFault, Reason, Value
from agent.driver.learned import Learned
from agent.prepare.kinds import DeviceInput
from drivers.modbus.bus import Bus
from drivers.modbus.demand import Demand
from drivers.modbus.plan import FUNCTION, Line, Order, Table
from drivers.modbus.polling import Polling
from drivers.modbus.profile import ModbusProfile, ranges
from drivers.modbus.shape import shape
from drivers.modbus.station import Station
from drivers.modbus.wire import Ask, Heard
from tests.drivers.modbus import plant
from tests.lab.sink import KeepingSink

REGISTERS = 140
EXPONENT = 130  # never refused: a scale factor of 0.01
FORMS = (
    "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64",
    "text(7)", "bits", "bit(3)", "bits(4-11)", "bits(4-20)", "flags", "flags(32)", "bcd", "bcd(8)",
    "decimal(8)", "uint8h", "int8l", "time(unix)", "time(words)", "time(pairs)", "time(cp56)",
)  # fmt: skip
NEVER = "holding 40-50, input 90-90"
Place = tuple[Table, int, int]
Row = tuple[Table, int, str, Order, bool]
ALLOWED: Row = (Table.HOLDING, 0, "uint16", Order.ABCD, False)


class Copper:
    """A wire to one device whose memory is known, and that refuses some of its addresses."""

    def __init__(self, memory: bytes, refused: frozenset[int]) -> None:
        self._memory, self._refused = memory, refused
        self.refusals: list[Place] = []

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def exchange(self, ask: Ask) -> Heard:
        await asyncio.sleep(0)
        pdu = ask.request.pdu
        table = next(table for table, code in FUNCTION.items() if code == pdu[0])
        start, count = int.from_bytes(pdu[1:3]), int.from_bytes(pdu[3:5])
        data = self._memory[2 * start : 2 * (start + count)]
        if table.of_bits:
            word = int.from_bytes(self._memory, "little") >> start & (1 << count) - 1
            data = word.to_bytes((count + 7) // 8, "little")
        answer = bytes([pdu[0], len(data)]) + data
        if self._refused & {*range(start, start + count)}:
            self.refusals.append((table, start, count))
            answer = bytes([pdu[0] | 0x80, 2])
        return Heard(answer, pdu, answer, 0.001)


def profile(rows: Sequence[Row], block: int, never: str) -> ModbusProfile:
    points: dict[str, Any] = {}
    for number, (table, at, form, order, scaled) in enumerate(rows):
        point = {"read": f"{table} {at}"}
        if not table.of_bits:
            point |= {"as": form, "order": str(order)}
            if scaled and form.startswith(("int", "uint")) and "8" not in form:
                point["exponent"] = f"input {EXPONENT}"
        points[f"p{number}"] = point
    told = {"profile": "x", "kind": "modbus", "every": "20ms", "block": str(block)}
    return ModbusProfile.model_validate(
        told | {"points": points} | ({"never": never} if never else {})
    )


def forbidden(row: Row) -> bool:
    """Whether the profile would be refused: the point stands where nobody may read."""
    table, at, form, _, _ = row
    found = shape(form)
    last = at + (found.registers if found and not table.of_bits else 1) - 1
    ranges_of = ranges(NEVER).get(table, ())
    return any(low <= last and at <= high for low, high in ranges_of)


def line_of(device: DeviceInput) -> Line:
    return plan.from_json(Line, plant.on_line("/dev/x", [device]).spec)


async def polled(line: Line, wire: Copper) -> tuple[Bus, KeepingSink, list[Place]]:
    """Two scheduled polls; what was refused in the first stands apart from the wire's list."""
    bus, sink, first = Bus(line, wire), KeepingSink(), list[Place]()
    async with asyncio.TaskGroup() as group:
        polling = Polling(line, [Station(unit) for unit in line.units], bus, sink)
        task = group.create_task(polling.run(), name="polling")
        await sink.heard(1)
        first, wire.refusals = wire.refusals, []
        await sink.heard(2)
        task.cancel()
    return bus, sink, first


async def alone(line: Line, wire: Copper, points: Sequence[str]) -> Mapping[str, Value | None]:
    """Each point read by itself; one that is refused is missing."""
    found: dict[str, Value | None] = {}
    for point in points:
        demand = Demand(line, Station(line.units[0]), Bus(line, wire), None)
        with contextlib.suppress(DeviceFault):
            (reading,) = await demand.read(point)
            found[point] = reading.value
    return found


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(Table)),
            st.integers(0, 120),
            st.sampled_from(FORMS),
            st.sampled_from(list(Order)),
            st.booleans(),
        ),
        min_size=1,
        max_size=14,
    ),
    st.binary(min_size=2 * EXPONENT, max_size=2 * EXPONENT),
    st.frozensets(st.integers(0, EXPONENT - 1), max_size=4),
    st.integers(8, 125),
    st.sampled_from(["", NEVER]),
)
async def test_a_plan_says_what_single_reads_would_and_keeps_what_it_found_out(
    rows: list[Row], memory: bytes, refused: frozenset[int], block: int, never: str
) -> None:
    rows = [row for row in rows if not (never and forbidden(row))] or [ALLOWED]
    whole = memory + b"\xff\xfe" * (REGISTERS - EXPONENT)
    device = plant.device("m", 1, profile(rows, block, never))
    line = line_of(device)
    (unit,) = line.units
    single = {(field.table, field.at, field.count) for field in Station(unit).fields().values()}

    bus, sink, first = await polled(line, Copper(whole, refused))
    expected = await alone(line, Copper(whole, refused), unit.points)
    assert sink.samples[0].values == {p: v for p, v in expected.items() if v is not None}
    told = {p for _, p, error in sink.faults if error.reason is Reason.REFUSED}
    assert told == {point for point in unit.points if point not in expected}

    # what is refused whole is refused once; it is told, and another life heeds it
    found = bus.measured.figures(0.0).refused.get("m", ())
    assert bool(found) == (not single.issuperset(first))
    wire = Copper(whole, refused)
    again = replace(device, learned=Learned("rs485", "1", refused=found))
    _, sink, first = await polled(line_of(again), wire)
    assert single.issuperset(first)
    assert single.issuperset(wire.refusals)
    assert sink.samples[0].values == {p: v for p, v in expected.items() if v is not None}
