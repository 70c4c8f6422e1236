"""Where each point stands in a block: from fields to struct formats, and back again. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drivers.modbus.plan import Block, Layer, Order, Table

WIDTH = {"h": 2, "H": 2, "e": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8, "d": 8}  # bytes
REGISTER = 2  # bytes
_PIECE = re.compile(r"(\d*)([a-zA-Z])")


@dataclass(frozen=True, slots=True)
class Field:
    """One point in the device's address space.

    Attributes:
        at: zero-based address of its first register or bit.
        code: struct code: one letter of `WIDTH`, or `8s` for eight bytes of text.
        count: registers, or 1 for a bit.
    """

    point: str
    table: Table
    at: int
    code: str = ""
    count: int = 1
    order: Order = Order.ABCD

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.at + self.count


def block_of(fields: Sequence[Field]) -> Block:
    """The block that reads these fields of one table with one request."""
    start, end = min(f.at for f in fields), max(f.end for f in fields)
    table = fields[0].table
    if table.of_bits:
        points, bits = [f.point for f in fields], [f.at - start for f in fields]
        return Block(table, start, end - start, (Layer(Order.ABCD, "", points, bits),))
    layers = [_layer(order, run, start, end) for order, run in _runs(fields)]
    return Block(table, start, end - start, layers)


def fields_of(block: Block) -> Iterator[Field]:
    """The fields of a block, as they were before `block_of`."""
    for layer in block.layers:
        if block.table.of_bits:
            for point, bit in zip(layer.points, layer.bits, strict=True):
                yield Field(point, block.table, block.start + bit)
        else:
            yield from _fields_of_layer(block, layer)


def pieces(block: Block) -> Sequence[Block]:
    """The block in smaller ones, for a device that refuses it: cut at holes, else at each point.

    Returns:
        the block alone when it cannot be cut.
    """
    fields = sorted(fields_of(block), key=lambda f: f.at)
    groups: list[list[Field]] = []
    for each in fields:
        if groups and each.at <= max(f.end for f in groups[-1]):
            groups[-1].append(each)
        else:
            groups.append([each])
    if len(groups) == 1 and len(fields) > 1:
        groups = [[f] for f in fields]
    return [block] if len(groups) == 1 else [block_of(group) for group in groups]


def _runs(fields: Sequence[Field]) -> list[tuple[Order, list[Field]]]:
    """Fields that fit into one format: same order, one behind the other."""
    runs: list[tuple[Order, list[Field]]] = []
    for each in sorted(fields, key=lambda f: f.at):
        fitting = (run for order, run in runs if order == each.order and run[-1].end <= each.at)
        run = next(fitting, None)
        if run is None:
            runs.append((each.order, [each]))
        else:
            run.append(each)
    return runs


def _layer(order: Order, run: Sequence[Field], start: int, end: int) -> Layer:
    parts, reached = [], start
    for each in run:
        parts += [_padding(each.at - reached), each.code]
        reached = each.end
    parts.append(_padding(end - reached))
    return Layer(order, _shortened("".join(parts)), [f.point for f in run])


def _padding(registers: int) -> str:
    return f"{registers * REGISTER}x" if registers else ""


def _shortened(form: str) -> str:
    """`HHH` → `3H`: the format of a large block stays readable, and small."""
    return re.sub(r"([a-rt-wyzA-Z])\1+", lambda m: f"{len(m[0])}{m[1]}", form)


def _fields_of_layer(block: Block, layer: Layer) -> Iterator[Field]:
    points, at = iter(layer.points), block.start
    for number, code in _PIECE.findall(layer.format):
        if code == "x":
            at += int(number) // REGISTER
        elif code == "s":
            count = int(number) // REGISTER
            yield Field(next(points), block.table, at, f"{number}s", count, layer.order)
            at += count
        else:
            for _ in range(int(number or 1)):
                count = WIDTH[code] // REGISTER
                yield Field(next(points), block.table, at, code, count, layer.order)
                at += count
