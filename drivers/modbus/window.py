"""The points that lie in a range of registers that somebody read, whoever asked for it. Pure."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.sample import Value
from drivers.modbus.codec import HIDDEN, BlockCodec
from drivers.modbus.conversion import Undecodable, combined, companions
from drivers.modbus.layout import Field, block_of
from drivers.modbus.plan import Block, Conversion, Layer, Table


def values_in(
    fields: Iterable[Field],
    conversions: Mapping[str, Conversion],
    where: tuple[Table, int, int],
    data: bytes,
) -> Mapping[str, Value]:
    """The values of all points that lie whole in what was read.

    Args:
        fields: of the device, hidden ones included.
        conversions: of the device.
        where: table, first address, and how many registers or bits.
        data: of the answer, behind its byte count.
    """
    table, start, count = where
    inside = [f for f in fields if f.table == table and start <= f.at and f.end <= start + count]
    if not inside:
        return {}
    block = _exactly(block_of(inside), start, count)
    values = BlockCodec(block, conversions).decode(data).values
    for point, companion in companions(conversions).items():
        value, other = values.pop(point, None), values.get(companion.point)
        if value is not None and other is not None:
            with contextlib.suppress(Undecodable):
                values[point] = combined(value, companion, other)
    return {name: value for name, value in values.items() if not name.startswith(HIDDEN)}


def _exactly(block: Block, start: int, count: int) -> Block:
    """The block as it was asked: with what lies before and behind the points."""
    before, behind = block.start - start, start + count - block.start - block.count
    return replace(
        block,
        start=start,
        count=count,
        layers=[_wider(layer, before, behind) for layer in block.layers],
    )


def _wider(layer: Layer, before: int, behind: int) -> Layer:
    if layer.bits:
        return replace(layer, bits=[bit + before for bit in layer.bits])
    pads = [f"{2 * n}x" if n else "" for n in (before, behind)]
    return replace(layer, format=f"{pads[0]}{layer.format}{pads[1]}")
