"""The words a technician gets about serial lines, and what right ones become."""

from pathlib import Path

from agent.plan import from_json
from drivers.serial_line.plan import LinePlan
from tests.drivers.gateway import only_connection, plan, said

LINE = "  mast: {kind: serial-lines, port: /dev/serial/by-id/x, line: 4800 7E2}"
WEATHER = "  weather: {profile: nmea-weather, via: mast}\n"


def profile(folder: Path, name: str, text: str) -> None:
    (folder / "profiles").mkdir(exist_ok=True)
    head = f"profile: {name}\ntitle: Test\nkind: serial-lines\n"
    (folder / "profiles" / f"{name}.yaml").write_text(head + text)


def test_a_line_and_its_device_become_a_plan(tmp_path: Path) -> None:
    found = plan(tmp_path, LINE, WEATHER)
    spec = from_json(LinePlan, only_connection(found).spec)
    assert spec.line == "4800 7E2"
    assert spec.speakers[0].lines == "nmea"
    assert found.devices["weather"].every_s is None
    assert found.devices["weather"].points["wind_speed"].unit == "m/s"


def test_points_can_be_left_out_or_narrowed(tmp_path: Path) -> None:
    points = "points: {dew_point: {enabled: no}, wind_speed: {max: 60}}"
    device = f"  weather: {{profile: nmea-weather, via: mast, {points}}}"
    found = plan(tmp_path, LINE, device).devices["weather"].points
    assert "dew_point" not in found
    assert (found["wind_speed"].low, found["wind_speed"].high) == (0, 60)


def test_a_device_that_is_switched_off_stays_known_and_is_not_listened_to(tmp_path: Path) -> None:
    found = plan(tmp_path, LINE, "  weather: {profile: nmea-weather, via: mast, enabled: no}")
    assert not found.devices["weather"].enabled
    assert from_json(LinePlan, only_connection(found).spec).speakers == ()


def test_how_often_a_talking_device_speaks_cannot_be_set(tmp_path: Path) -> None:
    device = "  weather: {profile: nmea-weather, via: mast, every: 5s}"
    assert said(tmp_path, LINE, device) == [
        (
            "'weather' speaks on its own: how often is not ours to set",
            "delete `every:`; the interval is learned",
        )
    ]


def test_two_devices_share_a_line_when_their_sentences_differ(tmp_path: Path) -> None:
    assert said(tmp_path, LINE, f"{WEATHER}  gps: {{profile: nmea-gps, via: mast}}") == []


def test_two_devices_that_take_the_same_lines_are_refused(tmp_path: Path) -> None:
    second = "  other: {profile: nmea-weather-parts, via: mast}"
    ((message, fix),) = said(tmp_path, LINE, WEATHER + second)
    assert message == "'other' and 'weather' both take every line of mast"
    assert fix == "give their profiles different talkers, sentences or prefixes"


def test_prefixes_tell_lines_of_text_apart(tmp_path: Path) -> None:
    for room in ("in", "out"):
        text = "pattern: 'T=(?P<heat>\\d+)'\npoints: {heat: {unit: Cel}}\n"
        profile(tmp_path, room, f"prefix: {room.upper()}\n{text}")
    devices = "  a: {profile: in, via: mast}\n  b: {profile: out, via: mast}"
    assert said(tmp_path, LINE, devices) == []


def complaint(folder: Path, text: str) -> tuple[str, str]:
    profile(folder, "own", text)
    (found,) = said(folder, LINE, "  own: {profile: own, via: mast}")
    return found


def test_a_field_that_its_sentence_does_not_have_is_named(tmp_path: Path) -> None:
    text = "lines: nmea\npoints:\n  wind: {sentence: MWV, field: wind_sped}\n"
    message, fix = complaint(tmp_path, text)
    assert message == "'wind': MWV has no field 'wind_sped'"
    assert fix == "did you mean wind_speed?"


def test_a_sentence_nobody_knows_is_named(tmp_path: Path) -> None:
    message, _ = complaint(tmp_path, "lines: nmea\npoints:\n  wind: {sentence: QQQ}\n")
    assert message == "'QQQ' is not a sentence we can read"


def test_a_pattern_that_is_none_is_refused(tmp_path: Path) -> None:
    message, fix = complaint(tmp_path, "pattern: 'T=(?P<t'\npoints:\n  t: {unit: Cel}\n")
    assert "not a regular expression" in message
    assert fix == "look at its brackets"


def test_a_pattern_without_names_is_refused(tmp_path: Path) -> None:
    message, _ = complaint(tmp_path, "pattern: 'T=(.*)'\npoints:\n  t: {unit: Cel}\n")
    assert message == "the pattern has no named groups"


def test_a_profile_has_to_say_how_a_line_is_taken_apart(tmp_path: Path) -> None:
    message, fix = complaint(tmp_path, "points:\n  t: {unit: Cel}\n")
    assert message == "the profile has to say how a line is taken apart"
    assert "pattern:" in fix


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    text = "delimiter: comma\ncolumns: time heat\npoints:\n  hat: {unit: Cel}\n"
    message, fix = complaint(tmp_path, text)
    assert message == "'hat' comes from a column 'hat' that is not there"
    assert fix == "did you mean heat?"


def test_a_delimiter_is_one_character_or_a_word(tmp_path: Path) -> None:
    text = "delimiter: komma\ncolumns: heat\npoints:\n  heat: {unit: Cel}\n"
    message, _ = complaint(tmp_path, text)
    assert message == "'komma' is not a delimiter"
