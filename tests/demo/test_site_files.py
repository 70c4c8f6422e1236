"""The demo's configuration is one that `fieldpost check` likes, with and without a radio."""

import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agent.demo import site_files
from agent.demo.instruments.places import Places
from agent.demo.site_files import Secrets

PLACES = Places("/tmp/rs485", "127.0.0.1:1502", "/tmp/mast", "/tmp/logger", "unix:path=/x", None)  # noqa: S108 - names only, nothing is opened
SECRETS = Secrets(b"a zip", bytes(16))


@pytest.mark.parametrize("bus", ["unix:path=/x", None], ids=["radio", "no radio"])
def test_the_configuration_compiles_to_a_plan(tmp_path: Path, bus: str | None) -> None:
    paths = site_files.write(tmp_path, replace(PLACES, bus=bus), SECRETS, 8080)
    command = [sys.executable, "-m", "agent.prepare", "--offline", "--config", str(paths.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    text = paths.config.read_text(encoding="utf-8")
    assert ("bluetooth" in text) == (bus is not None)
    assert ("freezer" in text) == (bus is not None)
    assert "main-meter" in text


def test_secrets_are_the_owners_alone(tmp_path: Path) -> None:
    paths = site_files.write(tmp_path, PLACES, SECRETS, 8080)
    folder = paths.config.parent / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
    assert bytes(16).hex() not in paths.config.read_text(encoding="utf-8")
    assert {path.name for path in folder.iterdir()} == {"freezer-key", "sandbox.zip"}
