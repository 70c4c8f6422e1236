"""`fieldpost scan ble`: the sensors in the air, through the daemon."""

from agent.errors import NotFoundError
from agent.plan import Json
from tests.cli.conftest import Fieldpost
from tests.cli.twin import Twin


def sensor(address: str, name: str, profile: str | None, says: str, device: str | None) -> Json:
    return {
        "connection": "radio", "address": address, "name": name, "profile": profile,
        "says": says, "signal_dbm": -74, "device": device,
    }  # fmt: skip


TAG = sensor("CB:B8:33:4C:88:4F", "RuuviTag 884F", "ruuvitag", "4.1 C  71 %  2977 mV", "cold-room")
LOCKED = sensor("54:48:E6:8F:80:A5", "BTHome 80A5", "bthome", "encrypted: needs its key", None)
PHONE = sensor("66:00:00:00:00:01", "66-00-00-00-00-01", None, "", None)


def test_sensors_are_listed_with_what_they_say(fieldpost: Fieldpost, twin: Twin) -> None:
    twin.answers["discover"] = {"found": [TAG, LOCKED, PHONE]}
    said = fieldpost("scan", "ble", "--for", "1s")
    assert said.out == (
        "CB:B8:33:4C:88:4F   -74 dBm  RuuviTag 884F  4.1 C  71 %  2977 mV      cold-room\n"
        "54:48:E6:8F:80:A5   -74 dBm  BTHome 80A5    encrypted: needs its key  new\n"
    )
    assert max(map(len, said.out.splitlines())) <= 80
    assert twin.asked == [("discover", {"kind": "bluetooth", "seconds": 1.0})]


def test_a_new_sensor_comes_with_the_block_to_write(fieldpost: Fieldpost, twin: Twin) -> None:
    twin.answers["discover"] = {"found": [TAG, LOCKED, PHONE]}
    said = fieldpost("scan", "ble", "--for", "1s")
    assert "    profile: bthome\n    via: radio\n    mac: 54:48:E6:8F:80:A5" in said.err
    assert "1 others" in said.err


def test_everybody_can_be_shown(fieldpost: Fieldpost, twin: Twin) -> None:
    twin.answers["discover"] = {"found": [TAG, PHONE]}
    assert "66:00:00:00:00:01" in fieldpost("scan", "ble", "--all").out


def test_programs_get_everything(fieldpost: Fieldpost, twin: Twin) -> None:
    twin.answers["discover"] = {"found": [TAG]}
    document = fieldpost("scan", "ble", "--json").json
    assert document == {"schema": "fieldpost.scan/1", "sensors": [TAG]}


def test_silence_is_said_in_words(fieldpost: Fieldpost, twin: Twin) -> None:
    twin.answers["discover"] = {"found": []}
    assert fieldpost("scan", "ble").out == "No sensor that we can read was heard.\n"


def test_without_a_radio_it_says_what_is_missing(fieldpost: Fieldpost, twin: Twin) -> None:
    twin.answers["discover"] = NotFoundError("There is no bluetooth connection.")
    said = fieldpost("scan", "ble")
    assert "There is no bluetooth connection" in said.err
    assert said.code != 0
