"""The words a technician gets about Bluetooth, and what right ones become."""

from pathlib import Path

from agent.plan import from_json
from drivers.bluetooth.plan import RadioPlan
from tests.drivers.gateway import only_connection, plan, said

RADIO = "  radio: {kind: bluetooth}"
TAG = "  tag: {profile: ruuvitag, via: radio, mac: cb-b8-33-4c-88-4f}\n"


def radio_plan(folder: Path, devices: str, radio: str = RADIO) -> RadioPlan:
    return from_json(RadioPlan, only_connection(plan(folder, radio, devices)).spec)


def test_a_sensor_that_advertises_becomes_a_beacon(tmp_path: Path) -> None:
    found = radio_plan(tmp_path, TAG)
    assert (found.adapter, found.passive, found.sensors) == ("hci0", True, ())
    assert (found.beacons[0].mac, found.beacons[0].decoder) == ("CB:B8:33:4C:88:4F", "ruuvi")


def test_a_sensor_with_characteristics_is_visited(tmp_path: Path) -> None:
    device = "  motor: {profile: acme-vib-gatt, via: radio, mac: E1:5C:0A:77:20:9D, every: 1min}"
    (sensor,) = radio_plan(tmp_path, device).sensors
    assert sensor.every_s == 60
    assert plan(tmp_path, RADIO, device).devices["motor"].every_s == 60


def test_scanning_can_be_active(tmp_path: Path) -> None:
    radio = "  radio: {kind: bluetooth, adapter: hci1, scan: active}"
    found = radio_plan(tmp_path, TAG, radio)
    assert (found.adapter, found.passive) == ("hci1", False)


def test_an_adapter_has_the_name_the_kernel_gives_it(tmp_path: Path) -> None:
    ((message, fix),) = said(tmp_path, "  radio: {kind: bluetooth, adapter: usb}", TAG)
    assert message == "'usb' is not the name of a Bluetooth adapter"
    assert fix.startswith("write hci0")


def test_a_key_is_a_secret_of_the_connection(tmp_path: Path) -> None:
    device = "  freezer: {profile: bthome, via: radio, mac: A4:C1:38:A1:B2:C3, key: secret:cold}"
    found = plan(tmp_path, RADIO, device)
    assert list(only_connection(found).secrets) == ["cold"]


def test_a_sensor_needs_its_address(tmp_path: Path) -> None:
    ((message, fix),) = said(tmp_path, RADIO, "  tag: {profile: ruuvitag, via: radio}")
    assert message == "'tag' is a Bluetooth sensor and has no address"
    assert "fieldpost scan ble" in fix


def test_one_address_is_one_sensor(tmp_path: Path) -> None:
    twice = TAG + TAG.replace("tag:", "other:")
    ((message, _),) = said(tmp_path, RADIO, twice)
    assert message == "address CB:B8:33:4C:88:4F on radio is already taken by 'tag'"


def test_a_key_for_a_sensor_that_does_not_encrypt_is_a_mistake(tmp_path: Path) -> None:
    device = TAG.replace("mac:", "key: secret:cold, mac:")
    ((message, fix),) = said(tmp_path, RADIO, device)
    assert message == "'tag' does not encrypt what it says, so it needs no key"
    assert fix == "delete `key:`"


def test_how_often_a_sensor_advertises_cannot_be_set(tmp_path: Path) -> None:
    ((message, _),) = said(tmp_path, RADIO, TAG.replace("mac:", "every: 5s, mac:"))
    assert message == "'tag' speaks on its own: how often is not ours to set"


def test_the_points_of_a_visit_are_read_together(tmp_path: Path) -> None:
    keys = "via: radio, mac: E1:5C:0A:77:20:9D, points: {rms: {every: 1s}}"
    ((message, fix),) = said(tmp_path, RADIO, f"  motor: {{profile: acme-vib-gatt, {keys}}}")
    assert message == "all points of 'motor' are read in one visit"
    assert fix == "write `every:` at 'motor' itself"


def complaint(folder: Path, text: str) -> str:
    (folder / "profiles").mkdir()
    head = "profile: own\ntitle: Test\nkind: bluetooth\n"
    (folder / "profiles" / "own.yaml").write_text(head + text)
    device = "  own: {profile: own, via: radio, mac: E1:5C:0A:77:20:9D}"
    ((message, _),) = said(folder, RADIO, device)
    return message


def test_a_decoder_nobody_has_is_named(tmp_path: Path) -> None:
    text = "decoder: bthom\npoints:\n  temperature: {unit: Cel}\n"
    assert complaint(tmp_path, text) == "there is no decoder 'bthom'"


def test_a_profile_has_to_say_how_its_sensor_is_understood(tmp_path: Path) -> None:
    text = "points:\n  temperature: {unit: Cel}\n"
    assert complaint(tmp_path, text) == "the profile does not say how the sensor is understood"


def test_a_sensor_is_either_listened_to_or_visited(tmp_path: Path) -> None:
    text = "decoder: bthome\npoints:\n  temperature: {characteristic: 2a6e, as: int16}\n"
    expected = "'temperature' has a characteristic, and the profile a decoder"
    assert complaint(tmp_path, text) == expected


def test_a_characteristic_needs_its_form(tmp_path: Path) -> None:
    text = "points:\n  temperature: {characteristic: 2a6e}\n"
    assert complaint(tmp_path, text) == "'temperature' does not say what form it has"


def test_a_characteristic_has_a_uuid(tmp_path: Path) -> None:
    text = "points:\n  temperature: {characteristic: 2a6, as: int16}\n"
    assert complaint(tmp_path, text) == "'2a6' is not a UUID"
