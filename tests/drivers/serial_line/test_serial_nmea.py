"""Sentences of NMEA 0183 become values in the units of the profile."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.driver import DeviceFault, Reason, Value
from drivers.serial_line.nmea import Nmea
from drivers.serial_line.plan import Found, Pick, Speaker
from tests.drivers.serial_line.lines import HEAT, WEATHER, WIND, nmea


def values(speaker: Speaker, body: str) -> dict[str, Value]:
    found = Nmea(speaker).decode(nmea(body).decode().strip())
    return {pick.point: one.value for pick, one in found if isinstance(one, Found)}


@pytest.mark.parametrize(
    ("letter", "metres_per_second"),
    [("M", 36.0), ("K", 10.0), ("N", 18.52), ("S", 16.09344)],
)
def test_wind_is_converted_from_whatever_unit_the_sentence_names(
    letter: str, metres_per_second: float
) -> None:
    found = values(WEATHER, f"WIMWV,214.8,R,36,{letter},A")
    assert found["wind_speed"] == pytest.approx(metres_per_second)


def test_a_unit_nobody_knows_is_a_fault_of_that_point_alone() -> None:
    found = dict(Nmea(WEATHER).decode(nmea("WIMWV,214.8,R,4.1,X,A").decode().strip()))
    assert isinstance(found[WIND], DeviceFault)
    assert [one.value for one in found.values() if isinstance(one, Found)] == [214.8]


def test_a_wrong_checksum_is_damage() -> None:
    with pytest.raises(DeviceFault, match="checksum") as caught:
        list(Nmea(WEATHER).decode("$WIMWV,214.8,R,4.1,M,A*00"))
    assert caught.value.reason is Reason.DAMAGED


def test_a_missing_checksum_is_damage_unless_the_profile_allows_it() -> None:
    with pytest.raises(DeviceFault, match="missing"):
        list(Nmea(WEATHER).decode("$WIMWV,214.8,R,4.1,M,A"))
    old = Nmea(replace(WEATHER, checksum=False))
    assert len(list(old.decode("$WIMWV,214.8,R,4.1,M,A"))) == 2


def test_a_measurement_that_its_instrument_calls_invalid_is_left_out() -> None:
    assert values(WEATHER, "WIMWV,214.8,R,4.1,M,V") == {}


def test_an_empty_field_is_no_value_and_no_fault() -> None:
    assert (
        list(Nmea(WEATHER).decode(nmea("WIMDA,,I,,B,,C,,,,,,C,,T,,M,,N,,M").decode().strip())) == []
    )


def test_only_its_own_talker_and_sentences_are_claimed() -> None:
    mast = Nmea(replace(WEATHER, talker="WI"))
    assert mast.claims("$WIMWV,1")
    assert not mast.claims("$IIMWV,1")
    assert not mast.claims("$WIXDR,1")
    assert not mast.claims("T=1 H=2")


def test_a_condition_keeps_true_and_relative_wind_apart() -> None:
    relative = Speaker("mast", [replace(WIND, when=[("reference", "R")])], lines="nmea")
    assert values(relative, "WIMWV,10,R,4.1,M,A") == {"wind_speed": 4.1}
    assert values(relative, "WIMWV,10,T,5.0,M,A") == {}


def test_a_transducer_is_found_by_id_or_by_type() -> None:
    by_id = Pick("inside", "TEMP2", sentence="XDR", transducer=True, unit="Cel")
    by_type = Pick("pressure", "P", sentence="XDR", transducer=True, unit="hPa")
    station = Speaker("station", [by_id, by_type], lines="nmea")
    found = values(station, "WIXDR,C,21.5,C,TEMP1,C,22.5,C,TEMP2,P,1.0132,B,BARO")
    assert found == {"inside": 22.5, "pressure": 1013.2}


def test_a_receiver_without_a_fix_is_not_at_null_island() -> None:
    gps = Speaker("gps", [Pick("latitude", "latitude", sentence="GLL")], lines="nmea")
    assert values(gps, "GPGLL,,,,,123519,A") == {}


def test_a_receiver_without_navigational_status_still_has_a_speed() -> None:
    gps = Speaker("gps", [Pick("speed", "spd_over_grnd", sentence="RMC")], lines="nmea")
    body = "GNRMC,083559.00,A,4717.11437,N,00833.91522,E,0.004,77.52,091202,,,A"
    assert values(gps, f"{body},V") == {"speed": 0.004}
    assert values(gps, body.replace(",A,", ",V,", 1)) == {}


def test_a_validity_that_cannot_be_told_is_none() -> None:
    fix = Speaker("gps", [Pick("pdop", "pdop", sentence="GSA")], lines="nmea")
    assert values(fix, "GPGSA,A,3,04,05,,09,12,,,24,,,,,2.5,1.3,2.1") == {"pdop": 2.5}
    assert values(fix, "GPGSA,A,,,,,,,,,,,,,,2.5,1.3,2.1") == {}


@pytest.mark.parametrize("line", ["P000", "$PXMWV,1,2", "$GPGPQ,GGA"])
def test_a_makers_own_sentence_is_not_taken_for_a_talkers(line: str) -> None:
    with pytest.raises(DeviceFault, match="not a sentence"):
        list(Nmea(replace(WEATHER, checksum=False)).decode(line))


def test_not_a_number_is_refused_and_the_other_point_survives() -> None:
    found = dict(Nmea(WEATHER).decode(nmea("WIMWV,214.8,R,nan,M,A").decode().strip()))
    fault = found[WIND]
    assert isinstance(fault, DeviceFault)
    assert fault.reason is Reason.NOT_A_NUMBER
    assert len(found) == 2


@given(st.text(max_size=80))
def test_noise_never_raises_anything_but_a_fault(noise: str) -> None:
    reader = Nmea(Speaker("mast", [WIND, HEAT], lines="nmea", checksum=False))
    for line in (noise, f"$WIMWV,{noise}", nmea(f"WIMDA,{noise}").decode().strip()):
        reader.claims(line)
        with contextlib.suppress(DeviceFault):
            list(reader.decode(line))
