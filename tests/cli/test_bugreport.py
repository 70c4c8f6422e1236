"""`fieldpost bugreport`: everything support asks for, and nothing that opens anything."""

import re
import stat
import sys
import zipfile
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from agent.plan import Json
from tests.cli import bakery
from tests.cli.conftest import Fieldpost
from tests.cli.twin import Twin

CANARY = "correct-horse-battery-staple"
TOKEN = "fp_k3v9x2ab_" + "x" * 43


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "gateway.yaml"
    path.parent.mkdir()
    path.write_text(f"version: 1\nsite: {{name: Bakery North}}\n# {CANARY} {TOKEN}\n")
    return path


def told(message: str) -> Json:
    return {"events": [{"message": message}]}


def test_a_bundle_without_secrets(
    twin: Twin, fieldpost: Fieldpost, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(CANARY.encode())))
    assert fieldpost("--config", str(config), "secret", "set", "archive-token").code == 0
    twin.answers["events"] = told(f"http://user:{CANARY}@example.com said {TOKEN}")
    twin.answers["settings"] = {"site": {"name": "Bakery North"}}
    said = fieldpost("--config", str(config), "bugreport", str(tmp_path))
    code = re.search(r"FP-[0-9A-F]{8}-\d{8}-\d{4}", said.out)
    assert code is not None
    path = tmp_path / f"{code[0]}.zip"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with zipfile.ZipFile(path) as zipped:
        parts = {name: zipped.read(name).decode() for name in zipped.namelist()}
    assert sorted(parts) == [
        "check.txt", "events.json", "gateway.yaml", "machine.json", "settings.json", "snapshot.json"
    ]  # fmt: skip
    everything = "".join(parts.values())
    assert CANARY not in everything
    assert TOKEN not in everything
    assert "Bakery North" in parts["gateway.yaml"]
    assert "main-meter" in parts["snapshot.json"]


def test_without_a_daemon_that_is_in_the_report(
    fieldpost: Fieldpost, config: Path, tmp_path: Path
) -> None:
    said = fieldpost("--config", str(config), "bugreport", str(tmp_path), "--json")
    with zipfile.ZipFile(said.json["file"]) as zipped:
        assert b"AGENT_UNAVAILABLE" in zipped.read("snapshot.json")


def test_addresses_of_a_bundle_stay_readable(
    twin: Twin, fieldpost: Fieldpost, config: Path, tmp_path: Path
) -> None:
    bundle = Path(__file__).parent.parent / "cloud" / "bundles" / "ok-servertls-complete"
    fieldpost("--config", str(config), "enroll", str(bundle))
    key = re.search(r"tesa_\S+", (bundle / "https-api-credentials.txt").read_text())
    assert key is not None
    twin.answers |= {
        "events": told(f"the key {key[0]} of this Device"),
        "settings": bakery.status(),
    }
    said = fieldpost("--config", str(config), "bugreport", str(tmp_path), "--json")
    with zipfile.ZipFile(said.json["file"]) as zipped:
        assert b"the key ******** of this Device" in zipped.read("events.json")
