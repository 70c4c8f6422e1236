"""The command line beside the real daemon: one life of it, from the first start to the stop."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.client import BlockingClient
from agent.errors import UnavailableError
from tests.cli.conftest import Fieldpost
from tests.cli.speaker import FILE, speaking

pytestmark = pytest.mark.timeout(30)

STARTS_WITHIN_S = 45.0
LOOK_S = 0.1


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    config, state = tmp_path / "gateway.yaml", tmp_path / "state"
    socket = tmp_path / "fieldpost.sock"
    with speaking() as port:
        config.write_text(FILE.format(port=port))
        command = [sys.executable, "-m", "agent.cli", "run", "--config", str(config)]
        places = ["--state", str(state), "--socket", str(socket)]
        with subprocess.Popen([*command, *places], stderr=subprocess.PIPE) as process:
            wait_until_values_come(BlockingClient(socket))
            yield process
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def wait_until_values_come(client: BlockingClient) -> None:
    for _ in range(int(STARTS_WITHIN_S / LOOK_S)):
        threading.Event().wait(LOOK_S)
        try:
            if client.call("snapshot")["devices"]["hall"]["state"] == "ok":
                return
        except UnavailableError:
            continue
    pytest.fail("the daemon did not start")


def inet_sockets(pid: int) -> list[str]:
    """Every TCP or UDP socket that process has."""
    inodes = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        rows = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        inodes |= {f"socket:[{row.split()[9]}]" for row in rows}
    held = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    return [one for one in held if one in inodes]


def test_one_life(daemon: "subprocess.Popen[bytes]", fieldpost: Fieldpost, tmp_path: Path) -> None:
    lines = fieldpost("status").out.splitlines()
    assert lines[0].startswith("Pty House (PTY-1)   fieldpost ")
    assert lines[5].startswith("hall         ok      0 s     21.5 C   48 %")
    assert [r["value"] for r in fieldpost("read", "hall", "--json").lines] == [21.5, 48]
    assert fieldpost("read", "cellar").code == 2
    assert fieldpost("doctor", "devices").out.endswith("1 check. Everything works.\n")
    assert "Buffer: " in fieldpost("queue").out
    assert fieldpost("log").code == 0

    token = fieldpost("token", "add", "kitchen-tablet", "--role", "viewer").out.strip()
    assert token.startswith("fp_")
    assert "kitchen-tablet" in fieldpost("token", "list").out
    assert fieldpost("token", "revoke", "kitchen-tablet").code == 0
    assert fieldpost("token", "list").out.startswith("There are no tokens")

    assert inet_sockets(daemon.pid) == []
    second = subprocess.run(
        [sys.executable, "-m", "agent.cli", "run", "--config", str(tmp_path / "gateway.yaml"),
         "--state", str(tmp_path / "state"), "--socket", str(tmp_path / "fieldpost.sock")],
        capture_output=True, check=False, timeout=15,
    )  # fmt: skip
    assert second.returncode == 6

    daemon.send_signal(signal.SIGTERM)
    _, told = daemon.communicate(timeout=10)
    assert daemon.returncode == 0
    assert fieldpost("status").code == 3
    written = b"".join(p.read_bytes() for p in (tmp_path / "state").rglob("*") if p.is_file())
    assert token.encode() not in told + written
    assert token[12:].encode() not in told + written
