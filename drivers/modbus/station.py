"""One device at run time: its requests ready to be sent, and what it has said."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.sample import Value
from drivers.modbus.breaker import Breaker
from drivers.modbus.codec import HIDDEN, BlockCodec
from drivers.modbus.conversion import Undecodable, combined, companions
from drivers.modbus.layout import Field, block_of, fields_of, pieces
from drivers.modbus.plan import Block, Model, Table, Unit
from drivers.modbus.requests import Request, read_request
from drivers.modbus.tally import Tally


@dataclass(frozen=True, slots=True)
class Ready:
    """One block with its request and its decoder."""

    block: Block
    request: Request
    codec: BlockCodec


@dataclass(frozen=True, slots=True)
class Found:
    """Where a device has a model, and how many registers of it, its header included."""

    at: int
    registers: int


class Station:
    """What the schedule knows of one unit.

    Attributes:
        pending: intervals, milliseconds, whose poll waits for a silent unit to be asked again.
        dear_s: what its last poll cost the line, when that was waiting in vain: for silence, for
            rubbish, or for an answer that came behind its timeout; else 0.
        heard: it has answered since the start.
        unit: as the device is read; `planned` until its models are found.
        located: its blocks stand where the device has them; false until `relocate` was called for
            a device whose models have to be found.
    """

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.planned = unit
        self.breaker = Breaker()
        self.tally = Tally()
        self.pending: frozenset[int] = frozenset()
        self.dear_s = 0.0
        self.heard = False
        self.located = not unit.models
        self._read({})

    @property
    def intervals_ms(self) -> Sequence[int]:
        """Its different intervals."""
        return sorted(set().union(*self._rounds))

    def round(self, every_ms: frozenset[int]) -> Sequence[Ready]:
        """The requests for these intervals, as planned or, for a rare mixture, one by one."""
        planned = self._rounds.get(every_ms)
        if planned is not None:
            return planned
        return [ready for each in every_ms for ready in self._rounds.get(frozenset({each}), ())]

    def probe(self) -> Request:
        """The cheapest question that shows whether it is there: one register it surely has."""
        block = next(iter(self._rounds.values()))[0].block
        return read_request(self.unit.address, block.table, block.start, 1)

    def split(self, refused: Ready) -> Sequence[Ready]:
        """Read a refused block in pieces from now on; none when it is one piece already."""
        blocks = pieces(refused.block)
        if len(blocks) == 1:
            return ()
        parts = [self._ready(block) for block in blocks]
        for every, planned in self._rounds.items():
            at = [i for i, each in enumerate(planned) if each.block == refused.block]
            if at:
                self._rounds[every] = [*planned[: at[0]], *parts, *planned[at[0] + 1 :]]
        return parts

    def relocate(self, unit: Unit, places: Mapping[Model, Found]) -> None:
        """Read each model from now on where the device has it; pieces are whole blocks again.

        Args:
            unit: as planned, or with the variant of it that fits the device.
            places: of its models; what lies in one that is not there is not read.
        """
        self.unit = unit
        self._read(places)
        self.located = True

    def fields(self) -> Mapping[str, Field]:
        """Every point it has, hidden ones included."""
        return {f.point: f for ready in self._all() for f in fields_of(ready.block)}

    def companion(self, point: str) -> str | None:
        """The hidden point that this one is combined with."""
        found = self._companions.get(point)
        return found.point if found else None

    def finish(self, values: dict[str, Value]) -> list[str]:
        """Combine values with their companions; the points where that failed."""
        unreadable = []
        for point, companion in self._companions.items():
            value, other = values.pop(point, None), values.get(companion.point)
            if value is None or other is None:
                continue
            try:
                values[point] = combined(value, companion, other)
            except Undecodable:
                unreadable.append(point)
        if self._companions:
            for point in [p for p in values if p.startswith(HIDDEN)]:
                del values[point]
        return unreadable

    def _read(self, places: Mapping[Model, Found]) -> None:
        """Make the requests of every round."""
        self._companions = companions(self.unit.conversions)
        self._rounds = {
            frozenset(_ms(every) for every in each.every_s): [
                self._ready(moved) for block in each.blocks if (moved := self._moved(block, places))
            ]
            for each in self.unit.rounds
        }

    def _moved(self, block: Block, places: Mapping[Model, Found]) -> Block | None:
        """Where the device has it; None when it has nothing of it."""
        home = self._home(block)
        if home is None or not places:
            return block
        found = places.get(home)
        if found is None:
            return None
        # a shorter model than the plan assumes: what lies behind it belongs to the next one
        end = home.at + found.registers
        inside = [field for field in fields_of(block) if field.end <= end]
        if not inside:
            return None
        whole = block if len(inside) == _points(block) else block_of(inside)
        return replace(whole, start=whole.start + found.at - home.at)

    def _home(self, block: Block) -> Model | None:
        """The model it lies in."""
        models = self.unit.models if block.table is Table.HOLDING else ()
        return next((model for model in models if model.holds(block.start, models)), None)

    def _ready(self, block: Block) -> Ready:
        request = read_request(self.unit.address, block.table, block.start, block.count)
        return Ready(block, request, BlockCodec(block, self.unit.conversions))

    def _all(self) -> Iterable[Ready]:
        return (ready for planned in self._rounds.values() for ready in planned)


def _points(block: Block) -> int:
    return sum(len(layer.points) for layer in block.layers)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
