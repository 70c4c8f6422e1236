"""What some tests need of the machine: its absence is a reason to skip, and in CI a failure."""

import os
import shutil
from pathlib import Path

import pytest


def missing(reason: str) -> None:
    """Skip, or fail where everything has to be there."""
    if os.environ.get("CI"):
        pytest.fail(f"missing in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture
def loop_devices() -> None:
    """Root, loop devices and e2fsprogs: an ext4 of our own."""
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        missing("root and loop devices")
    for tool in ("losetup", "mkfs.ext4", "mount"):
        if not shutil.which(tool):
            missing(tool)


@pytest.fixture
def own_network() -> None:
    """Root, unshare and iproute2: a network of our own."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        missing("root, unshare and iproute2")


@pytest.fixture
def ram_for_exile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for stores whose disk does not answer, so that none lands in /dev/shm."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(folder))
    return folder
