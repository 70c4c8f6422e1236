"""`fieldpost set` and `migrate`: edits of the technician's file."""

from pathlib import Path

import pytest

from tests.cli.conftest import Fieldpost

FILE = """\
version: 1
site:
  name: 'Bakery North'   # on the label
  may_lose: 1s
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(FILE)
    path.chmod(0o640)
    return path


def test_one_setting_changes_and_nothing_else(fieldpost: Fieldpost, config: Path) -> None:
    said = fieldpost("--config", str(config), "set", "site.may_lose", "5s")
    assert said.code == 0
    assert config.read_text() == FILE.replace("1s", "5s")
    assert config.stat().st_mode & 0o777 == 0o640
    assert "site.may_lose is now 5s" in said.err
    again = fieldpost("--config", str(config), "set", "site.may_lose", "5s")
    assert again.err == "site.may_lose is 5s already.\n"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("site.may_lose", "5", "5 what? a time needs a unit"),
        ("site.may_looze", "5s", "'may_looze' is not a setting of 'site'"),
    ],
)
def test_what_the_gateway_would_not_start_with_is_not_written(
    fieldpost: Fieldpost, config: Path, path: str, value: str, words: str
) -> None:
    said = fieldpost("--config", str(config), "set", path, value)
    assert (said.code, words in said.err) == (78, True)
    assert config.read_text() == FILE
    assert [p.name for p in config.parent.glob("*gateway*")] == ["gateway.yaml"]


@pytest.mark.parametrize("path", ["site", "site..name", "nothing.of.that"])
def test_a_place_that_cannot_be_set(fieldpost: Fieldpost, config: Path, path: str) -> None:
    assert fieldpost("--config", str(config), "set", path, "x").code in {2, 78}
    assert config.read_text() == FILE


def test_old_names_get_their_new_ones_and_the_old_file_is_kept(
    fieldpost: Fieldpost, config: Path
) -> None:
    assert fieldpost("--config", str(config), "migrate").err.endswith("nothing to rename.\n")
    old = FILE + (
        "connections:\n  wire: {kind: modbus-rtu, port: /dev/serial/by-id/usb-x, line: 9600 8N1}\n"
        "devices:\n  oven:\n    profile: eastron-sdm120\n    via: wire\n    adress: 1\n"
    )
    config.write_text(old)
    said = fieldpost("--config", str(config), "migrate")
    assert said.code == 0
    assert config.read_text() == old.replace("adress", "address")
    assert config.with_name("gateway.yaml.old").read_text() == old
