"""Bytes to values: orders, widths, conversions."""

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.codec import BlockCodec
from drivers.modbus.conversion import Undecodable, combined, converter
from drivers.modbus.layout import Field, block_of, fields_of, pieces
from drivers.modbus.plan import Companion, Conversion, Operation, Order, Table
from drivers.modbus.shape import shape


def one(
    code: str, payload: bytes, order: Order = Order.ABCD, how: Conversion | None = None
) -> tuple[Any, Sequence[str]]:
    count = len(payload) // 2
    block = block_of([Field("x", Table.HOLDING, 7, code, count, order)])
    decoded = BlockCodec(block, {"x": how} if how else {}).decode(payload)
    return decoded.values.get("x"), decoded.unreadable


@pytest.mark.parametrize(
    ("order", "wire"),
    [
        (Order.ABCD, "450384CD"),
        (Order.CDAB, "84CD4503"),
        (Order.BADC, "0345CD84"),
        (Order.DCBA, "CD840345"),
    ],
)
def test_all_four_orders_of_a_float_are_read(order: Order, wire: str) -> None:
    assert one("f", bytes.fromhex(wire), order) == (2104.3, [])


@pytest.mark.parametrize(
    ("order", "wire"),
    [
        (Order.ABCD, "0102030405060708"),
        (Order.CDAB, "0708050603040102"),
        (Order.BADC, "0201040306050807"),
        (Order.DCBA, "0807060504030201"),
    ],
)
def test_all_four_orders_of_eight_bytes_are_read(order: Order, wire: str) -> None:
    assert one("Q", bytes.fromhex(wire), order)[0] == 0x0102030405060708


def test_a_word_order_does_not_change_single_registers() -> None:
    assert one("H", b"\x12\x34", Order.CDAB)[0] == 0x1234


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_gets_the_shortest_decimal_that_means_it(value: float) -> None:
    found, _ = one("f", struct.pack(">f", value))
    assert struct.pack(">f", found) == struct.pack(">f", value)
    assert len(f"{found!r}".strip("-").replace(".", "").replace("e", "")) <= 12 + 6


def test_nan_and_infinity_are_named_and_left_out() -> None:
    for pattern in ("7FC00000", "7F800000", "FF800000"):
        assert one("f", bytes.fromhex(pattern)) == (None, ["x"])


def test_a_nan_that_the_profile_knows_is_no_fault() -> None:
    assert one("f", bytes.fromhex("7FC00000"), how=Conversion(nan=True)) == (None, [])


@pytest.mark.parametrize(
    ("code", "wire", "how", "value"),
    [
        ("h", "FFFE", Conversion(scale=0.1), -0.2),
        ("H", "08FD", Conversion(scale=0.1), 230.1),
        ("H", "0064", Conversion(scale=0.5, offset=-40), 10.0),
        ("H", "8000", Conversion(absent=[0x8000]), None),
        ("h", "8000", Conversion(absent=[-0x8000]), None),
        ("H", "1234", Conversion(kind="bcd"), 1234),
        ("I", "00123456", Conversion(kind="bcd"), 123456),
        ("4s", "00010002", Conversion(kind="decimal"), 10002),
        ("H", "0006", Conversion(kind="flag", low_bit=2, bits=1), True),
        ("H", "AB00", Conversion(kind="bits", low_bit=8, bits=8), 0xAB),
        ("H", "0004", Conversion(labels={"4": "mppt"}), "mppt"),
        ("H", "0009", Conversion(labels={"4": "mppt"}), "9"),
        ("8s", "4142432000000000", Conversion(kind="text"), "ABC"),
        ("8s", "4142004300000000", Conversion(kind="text"), "AB"),
        ("e", "3C00", None, 1.0),
    ],
)
def test_conversions(code: str, wire: str, how: Conversion | None, value: object) -> None:
    assert one(code, bytes.fromhex(wire), how=how) == (value, [])


NAMES = {"0": "overload", "3": "door open"}


@pytest.mark.parametrize(
    ("as_", "wire", "value"),
    [
        ("uint8h", "AB12", 0xAB),
        ("uint8l", "AB12", 0x12),
        ("int8h", "FE12", -2),
        ("int8l", "1280", -128),
        ("bits(4-7)", "00A5", 0xA),
        ("bits(12-19)", "00012000", 0x12),
        ("bit(15)", "8000", True),
        ("flags", "0009", "overload, door open"),
        ("flags", "0002", "bit 1"),
        ("flags", "0000", "none"),
        ("flags(32)", "00010000", "bit 16"),
        ("bcd(8)", "20261123", 20261123),
        ("decimal(12)", "000100020003", 100020003),
        ("text(5)", "534D413100", "SMA1"),
        ("time(unix)", "67413F00", "2024-11-23T02:33:36Z"),
        ("time(words)", "07EA000B0017000E002E0039", "2026-11-23T14:46:57"),
        ("time(pairs)", "1A0B170E2E39", "2026-11-23T14:46:57"),
        ("time(cp56)", "001A0B170E2EDEA8", "2026-11-23T14:46:57"),
        ("time(words)", "000000000000000000000000", None),
    ],
)
def test_every_kind_of_value_of_a_profile_is_read(as_: str, wire: str, value: object) -> None:
    form = shape(as_)
    assert form is not None
    labels = NAMES if form.kind == "flags" else {}
    how = Conversion(kind=form.kind, low_bit=form.low_bit, bits=form.bits, labels=labels)
    payload = bytes.fromhex(wire).ljust(2 * form.registers, b"\0")
    block = block_of([Field("x", Table.HOLDING, 7, form.code, form.registers)])
    decoded = BlockCodec(block, {"x": how}).decode(payload)
    assert (decoded.values.get("x"), decoded.unreadable) == (value, [])


def test_a_date_that_does_not_exist_is_unreadable() -> None:
    how = Conversion(kind="time-words")
    assert one("12s", bytes.fromhex("07EA000D001F000000000000"), how=how) == (None, ["x"])


def test_what_is_no_bcd_digit_is_unreadable() -> None:
    assert one("H", b"\x12\x3a", how=Conversion(kind="bcd")) == (None, ["x"])


def test_bits_are_read_from_the_least_significant() -> None:
    fields = [Field(f"c{n}", Table.COIL, 10 + n) for n in (0, 3, 8)]
    decoded = BlockCodec(block_of(fields), {}).decode(bytes([0b1000, 0b1]))
    assert decoded.values == {"c0": False, "c3": True, "c8": True}


def test_a_scale_factor_gives_clean_decimals() -> None:
    companion = Companion("~sf", Operation.EXPONENT)
    assert combined(2301, companion, -1) == 230.1
    assert combined(23, companion, 2) == 2300
    assert combined(7, Companion("~r", Operation.DIVIDE), 2) == 3.5
    for nonsense in (-0x8000, 11):
        with pytest.raises(Undecodable):
            combined(1, companion, nonsense)
    with pytest.raises(Undecodable):
        combined(1, Companion("~r", Operation.DIVIDE), 0)


def test_a_converter_of_nothing_returns_the_value() -> None:
    assert converter(Conversion())(5) == 5


orders = st.sampled_from(list(Order))
codes = st.sampled_from([("H", 1), ("h", 1), ("I", 2), ("f", 2), ("q", 4), ("d", 4), ("6s", 3)])


@given(st.lists(st.tuples(st.integers(0, 90), codes, orders), min_size=1, max_size=30))
def test_a_block_knows_its_fields_again(places: list[tuple[int, tuple[str, int], Order]]) -> None:
    fields = [
        Field(f"p{i}", Table.INPUT, at, code, count, order)
        for i, (at, (code, count), order) in enumerate(places)
    ]
    block = block_of(fields)
    assert sorted(fields_of(block), key=str) == sorted(fields, key=str)
    cut = [f for piece in pieces(block) for f in fields_of(piece)]
    assert sorted(cut, key=str) == sorted(fields, key=str)
