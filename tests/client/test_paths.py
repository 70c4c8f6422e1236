"""Where the client looks for the daemon."""

import os
from pathlib import Path

import pytest

from agent.client import paths
from agent.client.paths import socket_path, state_dir


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME", "FIELDPOST_SOCKET"):
        monkeypatch.delenv(name, raising=False)


def test_an_explicit_state_directory_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/from/systemd")
    assert state_dir(Path("/explicit")) == Path("/explicit")
    assert state_dir() == Path("/from/systemd")


def test_without_systemd_the_home_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = paths.SYSTEM_STATE if os.geteuid() == 0 else Path.home() / ".local/state/fieldpost"
    assert state_dir() == expected
    monkeypatch.setenv("XDG_STATE_HOME", "/home/pi/state")
    assert state_dir() == Path("/home/pi/state/fieldpost")


def test_the_socket_is_named_or_lies_in_the_state_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert socket_path(state=Path("/state")) == Path("/state/fieldpost.sock")
    monkeypatch.setenv("FIELDPOST_SOCKET", "/named.sock")
    assert socket_path(state=Path("/state")) == Path("/named.sock")
    assert socket_path(Path("/explicit.sock")) == Path("/explicit.sock")
