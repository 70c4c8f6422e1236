"""`fieldpost read` while no daemon runs: a real port, opened for as long as it takes."""

import os
import pty
import threading
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.conftest import Fieldpost

FILE = """\
version: 1
site:
  name: Pty House
connections:
  line:
    kind: serial-lines
    port: {port}
    line: 9600 8N1
devices:
  hall:
    profile: text-temperature-humidity
    via: line
"""


@pytest.fixture
def port() -> Iterator[str]:
    """A serial line on which something speaks ten times a second."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    over = threading.Event()

    def speak() -> None:
        while not over.wait(0.1):
            with suppress(OSError):
                os.write(master, b"T=21.5 H=48\r\n")

    thread = threading.Thread(target=speak)
    thread.start()
    yield os.ttyname(slave)
    over.set()
    thread.join()
    os.close(master)
    os.close(slave)


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
