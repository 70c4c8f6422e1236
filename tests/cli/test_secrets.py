"""`fieldpost secret`: what is stored, and that it is never shown."""

import io
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import secret
from tests.cli.conftest import Fieldpost, Said

CANARY = "correct-horse-battery-staple"
FILE = """\
devices:
  freezer:
    key: secret:freezer-key      # stored with:  fieldpost secret set freezer-key
cloud:
  archive:
    token: secret:archive-token
# key: secret:not-used
"""

Typed = Callable[..., Said]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture
def typed(fieldpost: Fieldpost, config: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Run a command with that standard input."""

    def run(text: str, *arguments: str) -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return fieldpost("--config", str(config), *arguments)

    return run


def test_a_secret_is_stored_for_its_owner_only(typed: Typed, config: Path) -> None:
    said = typed(f"{CANARY}\n", "secret", "set", "archive-token")
    assert (said.code, said.err) == (
        0, "Stored. In the configuration write:  secret:archive-token\n"
    )  # fmt: skip
    folder = config.parent / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [p.name for p in folder.iterdir()] == ["archive-token"]
    assert stat.S_IMODE((folder / "archive-token").stat().st_mode) == 0o600
    assert secret.read("archive-token", config.parent).reveal() == CANARY


def test_setting_again_replaces(typed: Typed, config: Path) -> None:
    typed("old", "secret", "set", "archive-token")
    typed("new", "secret", "set", "archive-token")
    assert secret.read("archive-token", config.parent).reveal() == "new"


def test_the_list_shows_use_and_never_content(typed: Typed) -> None:
    typed(CANARY, "secret", "set", "archive-token")
    typed(CANARY, "secret", "set", "left-over")
    said = typed("", "secret", "list")
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[0] == ["NAME", "STORED", "USED", "BY"]
    assert [lines[1][0], lines[1][-1]] == ["archive-token", "gateway.yaml:6"]
    assert lines[2] == ["freezer-key", "missing", "gateway.yaml:3"]
    assert [lines[3][0], lines[3][-1]] == ["left-over", "nothing"]
    document = typed("", "secret", "list", "--json")
    assert [one["name"] for one in document.json["secrets"]] == [
        "archive-token", "freezer-key", "left-over"
    ]  # fmt: skip
    assert CANARY not in said.out + said.err + document.out


def test_a_secret_in_use_is_not_deleted(typed: Typed, config: Path) -> None:
    typed(CANARY, "secret", "set", "archive-token")
    said = typed("", "secret", "rm", "archive-token")
    assert (said.code, said.err) == (2, "'archive-token' is in use: gateway.yaml:6.\n")
    assert (config.parent / "secrets/archive-token").exists()


def test_one_that_nobody_uses_is(typed: Typed, config: Path) -> None:
    typed(CANARY, "secret", "set", "left-over")
    assert typed("", "secret", "rm", "left-over").code == 0
    assert not (config.parent / "secrets/left-over").exists()
    assert typed("", "secret", "rm", "left-over").code == 2


@pytest.mark.parametrize("name", ["../gateway.yaml", ".hidden", "with space", "a/b"])
def test_a_name_is_never_a_path(typed: Typed, config: Path, name: str) -> None:
    assert typed(CANARY, "secret", "set", name).code == 2
    assert typed("", "secret", "rm", name).code == 2
    assert config.read_text() == FILE


def test_nothing_is_no_secret(typed: Typed) -> None:
    assert typed(" \n", "secret", "set", "archive-token").code == 2


def test_a_secret_list_without_any(typed: Typed, config: Path) -> None:
    config.write_text("")
    assert typed("", "secret", "list").out == "There are no secrets.\n"
