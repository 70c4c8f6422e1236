"""Reading points because somebody asks: values with the frames they came in."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from agent.clock import SystemClock
from agent.driver import DeviceFault, Instant, Quality, Reading, Sink, Value
from agent.errors import NotFoundError
from drivers.modbus import faults
from drivers.modbus.bus import Bus
from drivers.modbus.codec import HIDDEN, BlockCodec
from drivers.modbus.frames import Damaged, Refused, Silent, payload
from drivers.modbus.layout import REGISTER, Field, block_of, pieces
from drivers.modbus.models import locate
from drivers.modbus.plan import Block, Conversion, Line, manual
from drivers.modbus.requests import read_request
from drivers.modbus.station import Station
from drivers.modbus.wire import Heard

NAMES = {
    "h": "int16", "H": "uint16", "i": "int32", "I": "uint32", "q": "int64", "Q": "uint64",
    "e": "float16", "f": "float32", "d": "float64",
}  # fmt: skip


class Demand:
    """One read on demand of one station.

    Args:
        sink: whose clock stamps the readings; None before the driver runs.
    """

    def __init__(self, line: Line, station: Station, bus: Bus, sink: Sink | None) -> None:
        self._line, self._station, self._bus = line, station, bus
        self._now = sink.now if sink else SystemClock().now

    async def read(self, point: str | None) -> Sequence[Reading]:
        """One point, or all; of all, those that the device refuses have no value and say why.

        Raises:
            DeviceFault: no answer, or nothing but refusals.
            NotFoundError: the device has no such point.
        """
        await self.locate()
        blocks = deque(self._blocks(point))
        heard: dict[str, tuple[Field, bytes, Heard, Instant]] = {}
        values: dict[str, Value] = {}
        refused: dict[str, Reading] = {}
        while blocks:
            block = blocks.popleft()
            answer = await self._ask(block)
            at = self._now()
            try:
                data = payload(answer.pdu)
            except Refused as error:
                if point is not None or (not blocks and not heard and len(pieces(block)) == 1):
                    raise self._refused(block, error) from error
                blocks.extendleft(reversed(self._cut(block, error)))
                refused |= self._without(block, error, answer, at)
                continue
            values |= BlockCodec(block, self._station.unit.conversions).decode(data).values
            for field in _fields(block, self._station):
                heard[field.point] = (field, _raw(data, block, field), answer, at)
        self._station.finish(values)
        read = {name: self._reading(*heard[name], values.get(name)) for name in heard}
        return [(refused | read)[n] for n in self._station.unit.points if n in refused or n in read]

    def _cut(self, block: Block, error: Refused) -> list[Block]:
        """What is asked in its place: smaller pieces, where the device may lack some registers."""
        parts = pieces(block)
        return [*parts] if error.code in faults.NOT_THERE and len(parts) > 1 else []

    def _without(
        self, block: Block, error: Refused, heard: Heard, at: Instant
    ) -> dict[str, Reading]:
        """A reading for each point that the device does not give."""
        why = faults.why(error)
        found = {}
        for field in _fields(block, self._station):
            shown = self._reading(field, b"", heard, at, None)
            found[field.point] = replace(shown, form=f"refused: {why}")
        return found

    async def locate(self) -> None:
        """Find the device's models, if it has any and nobody did before.

        Raises:
            DeviceFault: it is silent, damaged, or has no such models.
        """
        unit = self._station.unit
        try:
            await locate(self._bus, self._station)
        except Silent as error:
            raise faults.no_answer(self._line, unit, others_answer=False, tries=1) from error
        except Damaged as error:
            raise faults.damaged(error, 1.0, 0.0) from error

    def _blocks(self, point: str | None) -> Sequence[Block]:
        """What has to be read: the planned blocks, or a small one for one point."""
        fields = self._station.fields()
        if point is None:
            every = frozenset(self._station.intervals_ms)
            return [ready.block for ready in self._station.round(every)]
        if point not in fields or point.startswith(HIDDEN):
            device, known = self._station.unit.device, sorted(fields)
            message = f"'{device}' has no point called '{point}'"
            raise NotFoundError(message, action=f"It has: {', '.join(known)}")
        companion = self._station.companion(point)
        wanted = [fields[name] for name in (point, companion) if name]
        return [block_of([field]) for field in wanted]

    async def _ask(self, block: Block) -> Heard:
        unit = self._station.unit
        request = read_request(unit.address, block.table, block.start, block.count)
        try:
            return await self._bus.ask(unit, request, first=True)
        except Silent as error:
            raise faults.no_answer(self._line, unit, others_answer=False, tries=1) from error
        except Damaged as error:
            raise faults.damaged(error, 1.0, 0.0) from error

    def _refused(self, block: Block, error: Refused) -> DeviceFault:
        where = min(_fields(block, self._station), key=lambda f: f.at)
        return faults.refused(self._station.unit, error, where)

    def _reading(
        self, field: Field, raw: bytes, heard: Heard, at: Instant, value: Value | None
    ) -> Reading:
        unit = self._station.unit
        quality = Quality.GOOD if value is not None else Quality.NO_VALUE
        low, high = unit.ranges.get(field.point, (None, None))
        if isinstance(value, int | float) and not _inside(value, low, high):
            quality = Quality.OUT_OF_RANGE
        return Reading(
            point=field.point,
            value=value,
            unit=unit.units.get(field.point),
            quality=quality,
            at=at,
            ms=round(heard.took_s * 1000, 1),
            source=f"{field.table} {field.at} ({manual(field.table, field.at)})",
            raw=raw.hex(" ", REGISTER).upper(),
            form=_form(field, unit.conversions.get(field.point)),
            request=heard.asked.hex(" ").upper(),
            answer=heard.answered.hex(" ").upper(),
        )


def _fields(block: Block, station: Station) -> Sequence[Field]:
    fields = station.fields()
    return [fields[point] for layer in block.layers for point in layer.points]


def _raw(data: bytes, block: Block, field: Field) -> bytes:
    """The bytes of the answer in which this point stands."""
    offset = field.at - block.start
    if block.table.of_bits:
        return data[offset // 8 : offset // 8 + 1]
    return data[offset * REGISTER : (offset + field.count) * REGISTER]


def _inside(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _form(field: Field, how: Conversion | None) -> str:
    """How it was decoded, in the words of a profile."""
    if field.table.of_bits:
        return "bit"
    kind = how.kind if how else "number"
    if kind == "flag" and how:
        return f"bit({how.low_bit})"
    if kind == "bits" and how:
        return f"bits({how.low_bit}-{how.low_bit + how.bits - 1})"
    name = NAMES.get(field.code, f"text({field.code[:-1]})")
    if kind in {"bcd", "decimal"}:
        name = f"{kind}({4 * field.count})"
    scale = f" x {how.scale:g}" if how and how.scale != 1 else ""
    offset = f" {how.offset:+g}" if how and how.offset else ""
    return (name if field.count == 1 else f"{name} {field.order}") + scale + offset
