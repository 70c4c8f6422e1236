"""One device at run time: its requests ready to be sent, and what it has said."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.sample import Value
from drivers.modbus.breaker import Breaker
from drivers.modbus.codec import HIDDEN, BlockCodec
from drivers.modbus.conversion import Undecodable, combined, companions
from drivers.modbus.layout import Field, fields_of, pieces
from drivers.modbus.plan import Block, Model, Table, Unit
from drivers.modbus.requests import Request, read_request
from drivers.modbus.tally import Tally


@dataclass(frozen=True, slots=True)
class Ready:
    """One block with its request and its decoder."""

    block: Block
    request: Request
    codec: BlockCodec


class Station:
    """What the schedule knows of one unit.

    Attributes:
        pending: intervals, milliseconds, whose poll waits for a silent unit to be asked again.
        heard: it has answered since the start.
        located: its blocks stand where the device has them; false until `relocate` was called for
            a device whose models have to be found.
    """

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.breaker = Breaker()
        self.tally = Tally()
        self.pending: frozenset[int] = frozenset()
        self.heard = False
        self.located = not unit.models
        self._companions = companions(unit.conversions)
        self._rounds = {
            frozenset(_ms(every) for every in each.every_s): [*map(self._ready, each.blocks)]
            for each in unit.rounds
        }
        self._planned = dict(self._rounds)

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

    def relocate(self, places: Mapping[Model, int]) -> None:
        """Read each model from now on where the device has it; pieces are whole blocks again."""
        for every, planned in self._planned.items():
            moved = [self._moved(ready.block, places) for ready in planned]
            self._rounds[every] = [*map(self._ready, moved)]
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

    def _moved(self, block: Block, places: Mapping[Model, int]) -> Block:
        if block.table is not Table.HOLDING:
            return block
        for model, at in places.items():
            if model.holds(block.start, self.unit.models):
                return replace(block, start=block.start + at - model.at)
        return block

    def _ready(self, block: Block) -> Ready:
        request = read_request(self.unit.address, block.table, block.start, block.count)
        return Ready(block, request, BlockCodec(block, self.unit.conversions))

    def _all(self) -> Iterable[Ready]:
        return (ready for planned in self._rounds.values() for ready in planned)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
