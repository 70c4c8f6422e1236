"""The demo as a newcomer starts it: everything real, nothing missing, nothing left behind."""

import asyncio
import json
import os
import signal
import sys
import uuid
from pathlib import Path

import pytest

FIELDPOST = Path(sys.executable).with_name("fieldpost")


class Demo:
    """One `fieldpost demo` with a temporary folder of its own and a mark on all its processes."""

    def __init__(self, folder: Path) -> None:
        self.mark = f"FP_MARK_{uuid.uuid4().hex}"
        self.folder = folder
        self.environment = {**os.environ, self.mark: "1", "TMPDIR": str(folder), "TERM": "dumb"}

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, str(FIELDPOST), "demo", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
        )

    def left_behind(self) -> list[str]:
        """Files and processes that should have gone."""
        found = [str(path) for path in self.folder.iterdir()]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                ours = self.mark.encode() in (process / "environ").read_bytes()
            except OSError:
                continue
            if ours:
                found.append((process / "cmdline").read_text().replace("\0", " "))
        return found


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return Demo(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(150)
async def test_nothing_is_missing_after_an_outage_and_a_kill(demo: Demo) -> None:
    process = await demo.start("--for", "12s", "--offline", "4s", "--kill", "--json", "--replay")
    out, screen = await process.communicate()
    assert process.returncode == 0, screen.decode()
    told = json.loads(out)
    assert told["missing"] == 0
    assert told["delivered"] > 200
    assert told["counted_lost"] > 0  # the ledger admits what a kill can have cost
    assert set(told["devices"]) >= {"main-meter", "oven-meter", "inverter", "weather"}
    assert all(device["held"] for device in told["devices"].values())
    assert b"devices 10 ok" in screen  # two of them recorded
    assert b"was killed" in screen
    assert b"the cloud is back" in screen
    assert demo.left_behind() == []


@pytest.mark.slow
@pytest.mark.timeout(150)
async def test_ctrl_c_ends_everything_and_still_reckons(demo: Demo) -> None:
    process = await demo.start()
    assert process.stdout is not None
    shown = b""
    while b"readings accepted" not in (line := await process.stdout.readline()):
        shown += line
        assert line, (shown, await process.communicate())
    process.send_signal(signal.SIGINT)
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    assert b"0 missing." in out
    assert demo.left_behind() == []
