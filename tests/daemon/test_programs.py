"""Children import what is installed, whatever lies around the daemon."""

import subprocess
from pathlib import Path

import pytest

from agent.daemon.programs import program


@pytest.mark.parametrize("module", ["agent/__init__.py", "json/__init__.py", "sitecustomize.py"])
@pytest.mark.parametrize("by", ["working directory", "PYTHONPATH"])
def test_a_child_imports_nothing_that_lies_in_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, by: str
) -> None:
    planted = tmp_path / module
    planted.parent.mkdir(exist_ok=True)
    planted.write_text("raise SystemExit('planted')\n")
    if by == "PYTHONPATH":
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    else:
        monkeypatch.chdir(tmp_path)
    command = program("agent.prepare", "--config", str(tmp_path / "absent.yaml"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "planted" not in done.stderr
    assert "absent.yaml" in done.stderr
