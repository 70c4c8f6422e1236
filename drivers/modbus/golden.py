"""Golden frames of a profile: bytes as a device sent them, and what must come out of them."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from agent.sample import Value
from drivers.modbus.codec import HIDDEN, BlockCodec
from drivers.modbus.compile import conversions_of, fields_of_profile
from drivers.modbus.conversion import Undecodable, combined, companions
from drivers.modbus.frames import Damaged, Refused, RtuFraming, payload
from drivers.modbus.layout import Field, block_of
from drivers.modbus.plan import FUNCTION, Block, Layer, Table
from drivers.modbus.profile import Golden, ModbusProfile
from drivers.modbus.requests import read_request

ENOUGH_DIGITS = 6  # of a measured value; a float32 has seven


def failures(profile: ModbusProfile) -> Iterator[str]:
    """One sentence for each golden frame that does not say what it should; none is good."""
    tests = dict(profile.tests)
    if profile.test:
        tests["test"] = profile.test
    for name, golden in tests.items():
        try:
            values = decoded(profile, golden)
        except (Damaged, Refused, ValueError) as error:
            yield f"{name}: {error}"
            continue
        for point, wanted in golden.expect.items():
            if not same(values.get(point), wanted):
                yield f"{name}: {point} is {values.get(point, 'no value')}, not {wanted}"


def decoded(profile: ModbusProfile, golden: Golden) -> Mapping[str, Value]:
    """All points that lie in the frame.

    Raises:
        Damaged, Refused: the frame is not the answer to the question.
        ValueError: none of the expected points is in the profile.
    """
    everything = [*fields_of_profile([*profile.points.items()], profile.order)]
    table, start, count = _asked(golden, everything)
    inside = [
        f for f in everything if f.table == table and start <= f.at and f.end <= start + count
    ]
    block = _exactly(block_of(inside), start, count)
    request = read_request(golden.frame[0], table, start, count)
    framing = RtuFraming()
    frame = framing.find(golden.frame, request, 0)
    if frame is None:
        what = "the frame is not an answer to this question"
        raise Damaged(what, golden.frame)
    conversions = conversions_of([*profile.points.items()])
    values = BlockCodec(block, conversions).decode(payload(framing.pdu(frame))).values
    for point, companion in companions(conversions).items():
        value, other = values.pop(point, None), values.get(companion.point)
        if value is not None and other is not None:
            with contextlib.suppress(Undecodable):
                values[point] = combined(value, companion, other)
    return {name: value for name, value in values.items() if not name.startswith(HIDDEN)}


def same(value: Value | None, wanted: str) -> bool:
    """Whether a value is what a person wrote."""
    if isinstance(value, bool):
        return wanted.lower() in ({"true", "yes", "1"} if value else {"false", "no", "0"})
    if isinstance(value, int | float):
        try:
            return f"{value:.{ENOUGH_DIGITS}g}" == f"{float(wanted):.{ENOUGH_DIGITS}g}"
        except ValueError:
            return False
    return value == wanted if value is not None else wanted == "no value"


def _asked(golden: Golden, fields: Sequence[Field]) -> tuple[Table, int, int]:
    """Table, start and count of the question."""
    if golden.ask is not None:
        table = next(t for t, code in FUNCTION.items() if code == golden.ask[1])
        start, count = (int.from_bytes(golden.ask[i : i + 2]) for i in (2, 4))
        return table, start, count
    expected = [f for f in fields if f.point in golden.expect]
    if not expected:
        message = "none of the expected points is in the profile"
        raise ValueError(message)
    first = min(expected, key=lambda f: f.at)
    size = golden.frame[2]
    return first.table, first.at, size * 8 if first.table.of_bits else size // 2


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
