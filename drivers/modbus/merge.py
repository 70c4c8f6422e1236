"""The fewest, cheapest requests that read a set of points. Pure.

Points of one table, sorted by address, are cut into runs; a run is one request and costs a fixed
part and a part per register, holes included. The cheapest cut is found exactly (dynamic
programming), within what the device takes in one request and never across what it forbids.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from drivers.modbus.layout import Field
from drivers.modbus.plan import Table

MOST_REGISTERS: Final = 125  # Modbus application protocol V1.1b3, 6.3
MOST_BITS: Final = 2000  # the same, 6.1
BITS_A_REGISTER: Final = 16


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one request, seconds.

    Attributes:
        request: of any request, whatever it reads.
        register: of each register it reads.
    """

    request: float
    register: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device takes.

    Attributes:
        block: most registers in one request.
        hole: most registers nobody asked for, between two that somebody did.
        forbidden: ranges never to be read, by table, first and last address.
    """

    block: int = MOST_REGISTERS
    hole: int = 32
    forbidden: Mapping[Table, Sequence[tuple[int, int]]] | None = None


def merge(fields: Sequence[Field], cost: Cost, limits: Limits) -> list[list[Field]]:
    """The points in groups, each to be read with one request."""
    ordered = sorted(fields, key=lambda f: (f.table, f.at, f.end))
    groups: list[list[Field]] = []
    for table, each in groupby(ordered, key=lambda f: f.table):
        groups += _cheapest([*each], table, cost, limits)
    return groups


def _cheapest(fields: list[Field], table: Table, cost: Cost, limits: Limits) -> list[list[Field]]:
    """Dynamic programming: the best way to read the first n points, for every n."""
    fits = _fits(table, limits)
    per_unit = cost.register / BITS_A_REGISTER if table.of_bits else cost.register
    best: list[tuple[float, int]] = [(0.0, 0)]
    for n in range(1, len(fields) + 1):
        following: Field | None = None
        end, cheapest = 0, (float("inf"), 0)
        for first in range(n - 1, -1, -1):
            field = fields[first]
            end = max(end, field.end)
            # the last point alone is always possible, and the run only grows from there
            if following is not None and not fits(field, following, end):
                break
            price = best[first][0] + cost.request + per_unit * (end - field.at)
            cheapest = min(cheapest, (price, first))
            following = field
        best.append(cheapest)
    return _cut(fields, best)


def _cut(fields: list[Field], best: Sequence[tuple[float, int]]) -> list[list[Field]]:
    groups, end = [], len(fields)
    while end:
        first = best[end][1]
        groups.append(fields[first:end])
        end = first
    return groups[::-1]


def _fits(table: Table, limits: Limits) -> Callable[[Field, Field, int], bool]:
    """Whether a run may begin one point earlier; the holes behind were judged before."""
    most = min(limits.block * BITS_A_REGISTER, MOST_BITS) if table.of_bits else limits.block
    hole = limits.hole * BITS_A_REGISTER if table.of_bits else limits.hole
    forbidden = (limits.forbidden or {}).get(table, ())

    def fits(field: Field, following: Field, end: int) -> bool:
        return (
            end - field.at <= most
            and following.at - field.end <= hole
            and not any(low < following.at and high >= field.end for low, high in forbidden)
        )

    return fits
