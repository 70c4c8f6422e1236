"""From the bytes of one answer to values: one compiled struct per layer, one dict per block. Pure.

Sources: Modbus application protocol V1.1b3, 4.2 (registers are big-endian) and 6.1 (bits, least
significant first). Word orders are the makers' own; a byte swap inside the registers turns
`CDAB` into little-endian and `BADC` into big-endian, so that `struct` can read all four.
"""

import struct
from array import array
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from math import isfinite

from agent.sample import Value
from drivers.modbus.conversion import Raw, Undecodable, converter
from drivers.modbus.plan import Block, Conversion, Layer, Order

SWAPPED = {Order.CDAB, Order.BADC}
LITTLE = {Order.CDAB, Order.DCBA}
HIDDEN = "~"  # first letter of a point that only others are combined with


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one block said.

    Attributes:
        values: by point, hidden ones included; a point without a value is missing.
        unreadable: points whose bytes are no number (NaN, infinity, not a BCD digit).
    """

    values: dict[str, Value]
    unreadable: Sequence[str] = ()


class BlockCodec:
    """Decodes the answers to one block's request.

    Args:
        block: what is read.
        conversions: of the whole device; those of other blocks are passed over.
    """

    def __init__(self, block: Block, conversions: Mapping[str, Conversion]) -> None:
        self._bits = _bit_points(block) if block.table.of_bits else ()
        layers = () if block.table.of_bits else block.layers
        self._layers = [_reader(layer) for layer in layers]
        points = [point for layer in block.layers for point in layer.points]
        self._points = tuple(points)
        self._plain = _plain(layers, points, conversions)
        self._may_be_nan = {p for p in points if p in conversions and conversions[p].nan}
        self._converters = [
            (point, converter(conversions[point])) for point in points if point in conversions
        ]

    def decode(self, payload: bytes) -> Decoded:
        """The values of an answer.

        Args:
            payload: what follows the byte count of the answer, complete.
        """
        if self._plain is not None:
            return Decoded(dict(zip(self._points, self._plain(payload), strict=True)))
        values: dict[str, Value] = {}
        unreadable: list[str] = []
        for read in self._layers:
            read(payload, values, unreadable)  # type: ignore[arg-type]  # bytes until converted
        if self._bits:
            word = int.from_bytes(payload, "little")
            values.update((point, bool(word >> bit & 1)) for point, bit in self._bits)
        if self._converters:
            self._convert(values, unreadable)
        return Decoded(values, [p for p in unreadable if p not in self._may_be_nan])

    def _convert(self, values: dict[str, Value], unreadable: list[str]) -> None:
        for point, convert in self._converters:
            raw = values.pop(point, None)
            if raw is None:
                continue
            try:
                value = convert(raw)
            except Undecodable:
                unreadable.append(point)
                continue
            if value is not None:
                values[point] = value


def swapped(payload: bytes) -> bytes:
    """Registers with their two bytes exchanged."""
    words = array("H", payload)
    words.byteswap()
    return words.tobytes()


def shortest(value: float) -> float:
    """A float32 as it is told: the shortest decimal that means it."""
    (told,) = _Shortener("f")((value,))
    return float(told)


_Into = Callable[[bytes, MutableMapping[str, Raw], list[str]], None]


def _reader(layer: Layer) -> _Into:
    """A function that adds one layer's raw values to a dict."""
    sign = "<" if layer.order in LITTLE else ">"
    unpack = struct.Struct(sign + layer.format).unpack_from
    names, swap = tuple(layer.points), layer.order in SWAPPED
    floats = any(code in layer.format for code in "fed")
    shorten = _Shortener(layer.format)

    def read(payload: bytes, values: MutableMapping[str, Raw], unreadable: list[str]) -> None:
        raw = unpack(swapped(payload) if swap else payload)
        if floats:
            raw = shorten(raw)
            unreadable += _not_numbers(names, raw)
        values.update(zip(names, raw, strict=True))
        for name in unreadable:
            values.pop(name, None)

    return read


def _plain(
    layers: Sequence[Layer], points: Sequence[str], conversions: Mapping[str, Conversion]
) -> Callable[[bytes], tuple[Value, ...]] | None:
    """For the commonest block, whole numbers as they stand, nothing but one `unpack`."""
    if len(layers) != 1 or layers[0].order is not Order.ABCD:
        return None
    if any(code in layers[0].format for code in "feds") or any(p in conversions for p in points):
        return None
    return struct.Struct(f">{layers[0].format}").unpack_from


def _not_numbers(names: Sequence[str], raw: Sequence[Raw]) -> list[str]:
    return [n for n, v in zip(names, raw, strict=True) if isinstance(v, float) and not isfinite(v)]


class _Shortener:
    """Gives float32 values the shortest decimal that means the same float32.

    A double made from a float32 prints seventeen digits of which nine are noise; clouds store and
    people read them. Seven digits usually mean the same float32, nine always do.
    """

    def __init__(self, form: str) -> None:
        codes = [c for n, c in _codes(form) for _ in range(n)]
        self._places = [i for i, code in enumerate(codes) if code == "f"]
        self._text = " ".join(["%.7g"] * len(self._places))
        self._pack = struct.Struct(f"<{len(self._places)}f")

    def __call__(self, raw: tuple[Raw, ...]) -> tuple[Raw, ...]:
        exact = tuple(float(raw[i]) for i in self._places)
        if not exact:
            return raw
        short = [float(t) for t in (self._text % exact).split()]
        try:
            again = self._pack.unpack(self._pack.pack(*short))
        except OverflowError:  # seven digits of the largest float32 are more than it
            return raw
        result = list(raw)
        for i, text, same, value in zip(self._places, short, again, exact, strict=True):
            result[i] = text if same == value else float(f"{value:.9g}")
        return tuple(result)


def _codes(form: str) -> list[tuple[int, str]]:
    """`4x2Hf8s` → what `unpack` returns: two H, one f, one s."""
    codes, number = [], ""
    for letter in form:
        if letter.isdigit():
            number += letter
            continue
        if letter != "x":
            codes.append((1 if letter == "s" else int(number or 1), letter))
        number = ""
    return codes


def _bit_points(block: Block) -> Sequence[tuple[str, int]]:
    return [
        (point, bit)
        for layer in block.layers
        for point, bit in zip(layer.points, layer.bits, strict=True)
    ]
