"""Where the client looks for the daemon."""

import os
from pathlib import Path

import pytest

from agent.client import paths
from agent.client.paths import socket_path, state_dir
from agent.client.places import SYSTEM_CONFIG, command, config_file, in_full, spelled


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


def test_a_command_names_a_configuration_that_is_not_the_usual_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    own = SYSTEM_CONFIG if os.geteuid() == 0 else tmp_path / ".config/fieldpost/gateway.yaml"
    if own != SYSTEM_CONFIG:
        own.parent.mkdir(parents=True)
        own.touch()
    assert command(own) == "fieldpost"
    assert command(Path("my site/gateway.yaml")) == ("fieldpost --config 'my site/gateway.yaml'")
    monkeypatch.setenv("FIELDPOST_CONFIG", "/elsewhere/gateway.yaml")
    assert config_file() == Path("/elsewhere/gateway.yaml")
    assert command(config_file()) == "fieldpost --config /elsewhere/gateway.yaml"


def test_a_command_names_a_daemon_that_would_not_be_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    state = tmp_path / "my state"
    plain, full = Path(SYSTEM_CONFIG), "fieldpost --config /site.yaml"
    assert command(Path("/site.yaml"), state, paths.SYSTEM_SOCKET) == full
    assert command(Path("/site.yaml"), state, state / "fieldpost.sock") == (
        f"{full} --state '{state}'"
    )
    assert command(Path("/site.yaml"), state, Path("/a.sock")) == f"{full} --socket /a.sock"
    assert command(plain, state, paths.SYSTEM_SOCKET).startswith("fieldpost")


def test_what_is_advised_can_be_typed_as_it_stands() -> None:
    there = "fieldpost --config /site.yaml"
    advice = "Check it: fieldpost check && sudo systemctl restart fieldpost"
    told = {"devices": [{"action": advice, "message": "see fieldpost check"}], "action": None}
    assert spelled(told, "fieldpost") is told
    (device,) = spelled(told, there)["devices"]
    full = f"Check it: {there} check && sudo systemctl restart fieldpost"
    assert device == {"action": full, "message": "see fieldpost check"}
    assert in_full(full, there) == full
