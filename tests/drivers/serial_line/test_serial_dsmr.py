"""Telegrams of smart meters."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.driver import DeviceFault, Reason, Value
from drivers.serial_line.dsmr import LONGEST, Dsmr, Telegrams, crc16
from drivers.serial_line.frames import Damage, Line
from drivers.serial_line.plan import Found, Pick, Speaker

# every line that DSMR 5.0.2 knows, as the example of its P1 companion standard has them
EXAMPLE = (
    "/ISk5\\2MT382-1000\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(101209113020W)\r\n"
    "0-0:96.1.1(4B384547303034303436333935353037)\r\n1-0:1.8.1(123456.789*kWh)\r\n"
    "1-0:1.8.2(123456.789*kWh)\r\n1-0:2.8.1(123456.789*kWh)\r\n1-0:2.8.2(123456.789*kWh)\r\n"
    "0-0:96.14.0(0002)\r\n1-0:1.7.0(01.193*kW)\r\n1-0:2.7.0(00.000*kW)\r\n"
    "0-0:96.7.21(00004)\r\n0-0:96.7.9(00002)\r\n1-0:99.97.0(2)(0-0:96.7.19)(101208152415W)"
    "(0000000240*s)(101208151004W)(0000000301*s)\r\n1-0:32.32.0(00002)\r\n1-0:52.32.0(00001)\r\n"
    "1-0:72.32.0(00000)\r\n1-0:32.36.0(00000)\r\n1-0:52.36.0(00003)\r\n1-0:72.36.0(00000)\r\n"
    "0-0:96.13.0(303132333435363738393A3B3C3D3E3F303132333435363738393A3B3C3D3E3F"
    "303132333435363738393A3B3C3D3E3F303132333435363738393A3B3C3D3E3F"
    "303132333435363738393A3B3C3D3E3F)\r\n1-0:32.7.0(220.1*V)\r\n1-0:52.7.0(220.2*V)\r\n"
    "1-0:72.7.0(220.3*V)\r\n1-0:31.7.0(001*A)\r\n1-0:51.7.0(002*A)\r\n1-0:71.7.0(003*A)\r\n"
    "1-0:21.7.0(01.111*kW)\r\n1-0:41.7.0(02.222*kW)\r\n1-0:61.7.0(03.333*kW)\r\n"
    "1-0:22.7.0(04.444*kW)\r\n1-0:42.7.0(05.555*kW)\r\n1-0:62.7.0(06.666*kW)\r\n"
    "0-1:24.1.0(003)\r\n0-1:96.1.0(3232323241424344313233343536373839)\r\n"
    "0-1:24.2.1(101209112500W)(12785.123*m3)\r\n!E47C\r\n"
)
METER = Speaker(
    "meter",
    [
        Pick("power", "1-0:1.7.0", unit="W"),
        Pick("energy", "1-0:1.8.1", unit="kWh"),
        Pick("gas", "0-1:24.2.1", unit="m3"),
        Pick("tariff", "0-0:96.14.0"),
        Pick("name", "0-0:96.1.1", text=True),
    ],
    lines="dsmr",
)
OLD = "/KMP5 KA6U001511209910\r\n\r\n1-0:1.7.0(0000.51*kW)\r\n!\r\n"


def values(telegram: str, speaker: Speaker = METER) -> dict[str, Value]:
    found = Dsmr(speaker).decode(telegram)
    return {pick.point: one.value for pick, one in found if isinstance(one, Found)}


def test_a_telegram_of_version_5_is_read() -> None:
    assert values(EXAMPLE) == {
        "power": 1193,
        "energy": 123456.789,
        "gas": 12785.123,
        "tariff": 2,
        "name": "4B384547303034303436333935353037",
    }


def test_the_checksum_has_the_check_value_of_crc_16_arc() -> None:
    assert crc16(b"123456789") == 0xBB3D


@pytest.mark.parametrize("damage", [("123456.789", "123456.788"), ("E47C", "E47D"), ("E47C", "")])
def test_a_damaged_telegram_brings_nothing(damage: tuple[str, str]) -> None:
    with pytest.raises(DeviceFault, match="checksum") as caught:
        values(EXAMPLE.replace(*damage))
    assert caught.value.reason is Reason.DAMAGED


def test_a_meter_from_before_checksums_can_be_allowed() -> None:
    with pytest.raises(DeviceFault, match="missing"):
        values(OLD)
    old = Speaker("meter", METER.picks, lines="dsmr", checksum=False)
    assert values(OLD, old) == {"power": 510}


def test_a_unit_that_does_not_fit_is_the_fault_of_its_point() -> None:
    wrong = Speaker("meter", [Pick("power", "1-0:1.7.0", unit="V")], lines="dsmr")
    ((_, fault),) = Dsmr(wrong).decode(EXAMPLE)
    assert isinstance(fault, DeviceFault)
    assert "'kW'" in fault.message


@given(st.integers(0, len(EXAMPLE)), st.integers(0, len(EXAMPLE)))
def test_it_does_not_matter_how_the_bytes_are_cut(first: int, second: int) -> None:
    data, telegrams = EXAMPLE.encode(), Telegrams()
    cuts = sorted((first, second))
    pieces = [data[: cuts[0]], data[cuts[0] : cuts[1]], data[cuts[1] :]]
    found = [one for piece in pieces for one in telegrams.feed(piece)]
    assert found == [Line(EXAMPLE)]


def test_the_tail_of_a_telegram_is_forgiven_once() -> None:
    telegrams = Telegrams()
    assert list(telegrams.feed(EXAMPLE[500:].encode())) == []
    assert list(telegrams.feed(EXAMPLE.encode())) == [Line(EXAMPLE)]
    assert list(telegrams.feed(EXAMPLE[500:].encode())) == [Damage.UNFINISHED]


def test_what_was_broken_off_is_not_joined_to_the_next() -> None:
    telegrams = Telegrams()
    assert list(telegrams.feed((EXAMPLE[:300] + EXAMPLE).encode())) == [Line(EXAMPLE)]


def test_half_a_telegram_can_be_given_up() -> None:
    telegrams = Telegrams()
    assert list(telegrams.feed(EXAMPLE[:300].encode())) == []
    assert telegrams.unfinished
    assert list(telegrams.give_up()) == [Damage.UNFINISHED]
    assert list(telegrams.feed(EXAMPLE.encode())) == [Line(EXAMPLE)]


@given(st.lists(st.binary(max_size=5000), max_size=5))
def test_noise_neither_raises_nor_fills_the_memory(pieces: list[bytes]) -> None:
    telegrams = Telegrams()
    for piece in pieces:
        for found in telegrams.feed(piece):
            if isinstance(found, Line):
                assert len(found.text) <= LONGEST + 5000
                with contextlib.suppress(DeviceFault):
                    values(found.text)
