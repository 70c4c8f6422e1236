"""One device, its profile and its overrides → what the driver reads of it; `prepare` alone."""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from agent.driver import Mark
from agent.prepare.kinds import DeviceInput, ProfileSettings
from agent.prepare.points import range_of, switched_on
from drivers.modbus import airtime
from drivers.modbus.codec import HIDDEN, LITTLE, shortest
from drivers.modbus.evidence import telling
from drivers.modbus.layout import Field, block_of, pieces
from drivers.modbus.merge import Cost, Limits, merge
from drivers.modbus.plan import (
    Block,
    Companion,
    Conversion,
    Model,
    Operation,
    Order,
    Round,
    Table,
    Unit,
    Variant,
)
from drivers.modbus.profile import ModbusPoint, ModbusProfile, Where, ranges
from drivers.modbus.requests import read_request
from drivers.modbus.shape import DIGITS_A_REGISTER, FLOATS, SIGNED, Shape

EVERY_S: Final = 10.0  # where neither file nor profile says how often
BIT: Final = Shape("")
FULL_BITS: Final = {"H": 16, "I": 32, "Q": 64}  # counters in signed registers stop or lie
BYTEWISE: Final = {Order.CDAB: Order.ABCD, Order.DCBA: Order.BADC}  # text has no word order


def unit_of(
    device: DeviceInput,
    address: int,
    patience_s: tuple[float, float],
    cost: Cost,
    refused: Sequence[str] = (),
) -> Unit:
    """What the driver needs to know of one enabled device.

    Args:
        device: its settings and profile.
        address: its unit id.
        patience_s: timeout and gap of the connection.
        cost: of a request to it.
        refused: ranges that it does not give with one request, as `Figures.refused` has them.
    """
    profile = profile_of(device)
    points = [*points_of(device)]
    timeout_s, gap_s = patience_s
    heeded = ranges(", ".join(refused)) if refused else {}
    return Unit(
        device=device.name,
        address=address,
        profile=device.settings.profile,
        timeout_s=max(timeout_s, profile.timeout or 0.0),
        gap_s=max(gap_s, profile.gap),
        rounds=_rounds(device, points, cost, heeded),
        points=[name for name, _ in points],
        conversions=conversions_of(points, profile.order),
        units={name: point.unit for name, point in points if point.unit},
        writable=[name for name, point in points if point.write],
        ranges={name: r for name, p in points if (r := range_of(name, p, device)) != (None, None)},
        models=profile.models,
        instead=_variant(device, cost),
    )


def profile_of(device: DeviceInput) -> ModbusProfile:
    """The device's profile, as what it is."""
    assert isinstance(device.profile, ModbusProfile)  # noqa: S101 -- by construction of the kinds
    return device.profile


def points_of(device: DeviceInput) -> Iterator[tuple[str, ModbusPoint]]:
    """The points that are not switched off."""
    return switched_on(profile_of(device).points, device)


def every_of(name: str, point: ModbusPoint, device: DeviceInput) -> float:
    """How often it is read: the technician's word for this point, else the slower of the two."""
    override = device.settings.points.get(name)
    if override and override.every:
        return override.every
    usual = device.settings.every or device.profile.every or EVERY_S
    return max(usual, point.every or 0.0)


def full_at(point: ModbusPoint) -> float | None:
    """Where a counter's registers are full, in its own unit; None when that cannot be told."""
    form = point.form or BIT
    if form.kind == "number":
        most = 1 << FULL_BITS[form.code] if form.code in FULL_BITS else 0
    elif form.kind == "bits" and form.bits:
        most = 1 << form.bits
    elif form.kind in {"bcd", "decimal"}:
        most = 10 ** (DIGITS_A_REGISTER * form.registers)
    else:
        most = 0
    return most * point.scale if most and _operation(point) is None else None


def conversions_of(
    points: Sequence[tuple[str, ModbusPoint]], order: Order
) -> dict[str, Conversion]:
    """What is left to do to the points that need anything once `struct` has read them."""
    return {name: how for name, point in points if (how := _conversion(point, order))}


def marks(profiles: Iterable[ProfileSettings]) -> Iterator[Mark]:
    """What `fieldpost scan modbus` recognises models by."""
    for profile in profiles:
        if isinstance(profile, ModbusProfile) and profile.identify is not None:
            table, address = profile.identify.read
            asked = read_request(1, table, address, profile.identify.form.registers)
            units = telling((name, point.unit) for name, point in profile.points.items())
            expect = profile.identify.expect
            yield Mark(profile.profile, asked.pdu, expect, _needed(profile), units)


def _needed(profile: ModbusProfile) -> frozenset[int]:
    """The SunSpec models of which a device of this profile has one."""
    models = [*profile.models, *(profile.instead.models if profile.instead else ())]
    needed = (range(model.low, model.high + 1) for model in models if not model.optional)
    return frozenset(chain.from_iterable(needed))


def fields_of_profile(points: Sequence[tuple[str, ModbusPoint]], order: Order) -> Iterator[Field]:
    """Where each point and each companion stands."""
    for name, point in points:
        yield _field(name, point.where, point.form or BIT, point.order or order)
    for operation, place in dict.fromkeys(_companions(points)):
        code = "h" if operation is Operation.EXPONENT else "H"
        yield _field(_hidden(place), place, Shape(code), Order.ABCD)


def _rounds(
    device: DeviceInput,
    points: Sequence[tuple[str, ModbusPoint]],
    cost: Cost,
    refused: Mapping[Table, Sequence[tuple[int, int]]],
) -> list[Round]:
    """The requests for every mixture of intervals that can fall due together."""
    profile = profile_of(device)
    every = {name: every_of(name, point, device) for name, point in points}
    limits = Limits(profile.block, profile.hole, profile.never)
    rounds = []
    for mixture in airtime.mixtures(every.values()):
        due = [(name, point) for name, point in points if every[name] in mixture]
        fields = [*fields_of_profile(due, profile.order)]
        parts = _apart(fields, profile.models)
        whole = [block_of(group) for part in parts for group in merge(part, cost, limits)]
        rounds.append(Round(mixture, [*_in_pieces(whole, refused)]))
    return rounds


def _in_pieces(
    blocks: Iterable[Block], refused: Mapping[Table, Sequence[tuple[int, int]]]
) -> Iterator[Block]:
    """The blocks, those that hold a refused range cut as the driver has cut them."""
    for block in blocks:
        last = block.start + block.count - 1
        held = any(block.start <= a and b <= last for a, b in refused.get(block.table, ()))
        parts = pieces(block) if held else [block]
        yield from parts if len(parts) == 1 else _in_pieces(parts, refused)


def _variant(device: DeviceInput, cost: Cost) -> Variant | None:
    """The same device with its profile's other models."""
    profile = profile_of(device)
    other = profile.instead
    if other is None:
        return None
    changed = {"models": other.models, "points": other.points, "instead": None}
    there = replace(device, profile=profile.model_copy(update=changed))
    points = [*points_of(there)]
    rounds = _rounds(there, points, cost, {})
    return Variant(other.models, rounds, conversions_of(points, profile.order))


def _apart(fields: Sequence[Field], models: Sequence[Model]) -> Iterator[list[Field]]:
    """The fields of each model, and the rest: nobody knows what will stand beside a model."""
    homes = [
        next((m for m in models if f.table is Table.HOLDING and m.holds(f.at, models)), None)
        for f in fields
    ]
    for home in dict.fromkeys(homes):
        yield [f for f, of in zip(fields, homes, strict=True) if of == home]


def _field(name: str, place: Where, form: Shape, order: Order) -> Field:
    table, address = place
    if form.code.endswith("s"):
        order = BYTEWISE.get(order, order)
    return Field(name, table, address, form.code, form.registers, order)


def _companions(points: Sequence[tuple[str, ModbusPoint]]) -> list[tuple[Operation, Where]]:
    """Every register that another point is combined with."""
    return [
        (companion, place)
        for _, point in points
        if (companion := _operation(point)) and (place := _place(point))
    ]


def _operation(point: ModbusPoint) -> Operation | None:
    if point.exponent:
        return Operation.EXPONENT
    if point.multiply_by:
        return Operation.MULTIPLY
    return Operation.DIVIDE if point.divide_by else None


def _place(point: ModbusPoint) -> Where | None:
    return point.exponent or point.multiply_by or point.divide_by


def _hidden(place: Where) -> str:
    table, address = place
    return f"{HIDDEN}{table}{address}"


def _conversion(point: ModbusPoint, order: Order) -> Conversion | None:
    """What is left to do once `struct` has read it; None when nothing is."""
    form = point.form or BIT
    operation, place = _operation(point), _place(point)
    companion = Companion(_hidden(place), operation) if operation and place else None
    absent, nan = _absent(form, point.nan)
    found = Conversion(
        kind=_kind(form, point.order or order),
        scale=point.scale,
        offset=point.offset,
        absent=tuple(absent),
        nan=nan,
        low_bit=form.low_bit,
        bits=form.bits,
        companion=companion,
        labels=point.values,
    )
    return None if found == Conversion() else found


def _kind(form: Shape, order: Order) -> str:
    """What `struct` cannot read has its registers in the order of the maker all the same."""
    low_first = form.kind == "decimal" and order in LITTLE
    return "decimal-low-first" if low_first else form.kind


def _absent(form: Shape, patterns: Sequence[int]) -> tuple[list[float], bool]:
    """Patterns of bits as `struct` will read them, and whether a NaN is among them."""
    if form.code in FLOATS:
        size = struct.calcsize(f">{form.code}")
        values = [struct.unpack(f">{form.code}", p.to_bytes(size))[0] for p in patterns]
        values = [shortest(v) if form.code == "f" else v for v in values]
        return [v for v in values if v == v], any(v != v for v in values)  # noqa: PLR0124 -- NaN
    bits = SIGNED.get(form.code, 0)
    limit = 1 << bits - 1 if bits else 0
    return [p - 2 * limit if limit and p >= limit else p for p in patterns], False
