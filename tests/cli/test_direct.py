"""`fieldpost read` while no daemon runs: a real port, opened for as long as it takes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Fieldpost
from tests.cli.speaker import FILE, speaking


@pytest.fixture
def port() -> Iterator[str]:
    with speaking() as name:
        yield name


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "gateway.yaml"


def test_the_port_is_opened_and_that_is_said(fieldpost: Fieldpost, config: Path, port: str) -> None:
    config.write_text(FILE.format(port=port))
    said = fieldpost("--config", str(config), "read", "hall", "--json")
    assert [(r["point"], r["value"]) for r in said.lines] == [
        ("temperature", 21.5),
        ("humidity", 48),
    ]
    assert said.err == f"The daemon is not running: opening {port} directly.\n"
    assert said.code == 0


def test_quiet_says_only_the_answer(fieldpost: Fieldpost, config: Path, port: str) -> None:
    config.write_text(FILE.format(port=port))
    said = fieldpost("-q", "--config", str(config), "read", "hall.humidity", "--count", "2")
    assert (said.err, len(said.out.splitlines())) == ("", 2)


def test_an_unknown_device_names_those_there_are(
    fieldpost: Fieldpost, config: Path, port: str
) -> None:
    config.write_text(FILE.format(port=port))
    said = fieldpost("--config", str(config), "read", "cellar")
    assert (said.code, said.err) == (2, "There is no device 'cellar'.\n  Devices here: hall\n")


def test_a_bad_file_is_exit_78(fieldpost: Fieldpost, config: Path) -> None:
    config.write_text("site: {}\n")
    said = fieldpost("--config", str(config), "read", "hall")
    assert said.code == 78
    assert f"fieldpost check {config}" in said.err


def test_a_port_that_is_not_there_is_exit_4(fieldpost: Fieldpost, config: Path) -> None:
    config.write_text(FILE.format(port="/dev/serial/by-id/usb-none"))
    said = fieldpost("--config", str(config), "read", "hall")
    assert said.code == 4
