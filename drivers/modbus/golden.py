"""Golden frames of a profile: bytes as a device sent them, and what must come out of them."""

from collections.abc import Iterator, Mapping, Sequence

from agent.driver import Proof
from agent.sample import Value
from drivers.modbus.compile import conversions_of, fields_of_profile
from drivers.modbus.frames import Damaged, Refused, RtuFraming, payload
from drivers.modbus.layout import Field
from drivers.modbus.plan import FUNCTION, Table
from drivers.modbus.profile import Golden, ModbusProfile
from drivers.modbus.requests import read_request
from drivers.modbus.window import values_in

ENOUGH_DIGITS = 6  # of a measured value; a float32 has seven


def proofs(profile: object) -> Iterator[Proof]:
    """What each golden frame says, and whether it should."""
    assert isinstance(profile, ModbusProfile)  # noqa: S101 -- by construction of the kinds
    tests = dict(profile.tests)
    if profile.test:
        tests["test"] = profile.test
    for name, golden in tests.items():
        judged = _instead(profile) if golden.instead else profile
        yield Proof(name, len(golden.expect), [*_wrong(judged, golden)])


def failures(profile: ModbusProfile) -> Iterator[str]:
    """One sentence for each golden frame that does not say what it should; none is good."""
    for proof in proofs(profile):
        yield from (f"{proof.name}: {failure}" for failure in proof.failures)


def decoded(profile: ModbusProfile, golden: Golden) -> Mapping[str, Value]:
    """All points that lie in the frame.

    Raises:
        Damaged, Refused: the frame is not the answer to the question.
        ValueError: none of the expected points is in the profile.
    """
    everything = [*fields_of_profile([*profile.points.items()], profile.order)]
    table, start, count = _asked(golden, everything)
    request = read_request(golden.frame[0], table, start, count)
    framing = RtuFraming()
    frame = framing.find(golden.frame, request, 0)
    if frame is None:
        what = "the frame is not an answer to this question"
        raise Damaged(what, golden.frame)
    conversions = conversions_of([*profile.points.items()], profile.order)
    return values_in(everything, conversions, (table, start, count), payload(framing.pdu(frame)))


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


def _instead(profile: ModbusProfile) -> ModbusProfile:
    """The profile with the points that stand below `instead:`."""
    points = profile.instead.points if profile.instead else {}
    return profile.model_copy(update={"points": points})


def _wrong(profile: ModbusProfile, golden: Golden) -> Iterator[str]:
    """One sentence for each value that is not as expected."""
    try:
        values = decoded(profile, golden)
    except (Damaged, Refused, ValueError) as error:
        yield str(error)
        return
    for point, wanted in golden.expect.items():
        if not same(values.get(point), wanted):
            yield f"{point} is {values.get(point, 'no value')}, not {wanted}"


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
