"""Fault 7: memory. What wants to be inflated is not; where it really runs out, nothing is lost."""

import asyncio
import contextlib
import re
import resource
import subprocess
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.lab.failpoints import PROGRAM
from tests.lab.pty import Pty
from tests.lab.scripted import Piece, echo, reply
from tests.lab.whole import CONFIGURATION, RELEASE, ending, until, whole

DATA_BYTES = 160 << 20  # a daemon at rest has 50 MB of it, of which it uses half
PEAK_KB = 80_000  # a daemon at rest: 40 MB
POLLS = 20
BOMB_BYTES = 400 << 20
FLOOD_BYTES = 16 << 20
GARBAGE = bytes.fromhex("0001 0000 ffff") + b"garbage " * 8192
BESIDE = """\
  flood: {{kind: modbus-tcp, host: "127.0.0.1:{port}"}}
  endless: {{kind: serial-lines, port: "{line}"}}
devices:
  flooded: {{profile: counter, via: flood, address: 1}}
  mast: {{profile: nmea-weather, via: endless}}
"""


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("build", ["release", "inflates"])
async def test_answers_frames_and_lines_without_end_take_no_memory(
    tmp_path: Path, build: str
) -> None:
    """A build without the limits runs out of it, is started again, and has lost nothing."""
    bomb = packed(BOMB_BYTES)
    async with whole(tmp_path) as site, flooding() as port:
        with Pty(tmp_path / "line") as line:
            site.configure(beside(port, line.path))
            site.archive.answers = lambda _: bombs(bomb)
            command = RELEASE if build == "release" else (*PROGRAM, build)
            with ending(site.start(command)) as daemon:
                resource.prlimit(daemon.pid, resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
                if build == "inflates":
                    assert await site.died(daemon) == 1
                    assert "MemoryError" in site.log
                else:
                    await until(lambda: len(site.archive.kept) > 0)
                    await asyncio.get_running_loop().run_in_executor(None, flood, line)
                    served = len(site.meter.served)
                    await until(lambda: len(site.meter.served) > served + POLLS)
                    assert peak_kb(daemon) < PEAK_KB
                    site.kill(daemon)
        site.archive.answers = echo
        site.configure()
        with ending(site.start()) as daemon:
            assert await site.drained(daemon) == []


def packed(size: int) -> bytes:
    """Zeros, as gzip."""
    packer = zlib.compressobj(1, wbits=31)
    zeros = bytes(1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(size >> 20)) + packer.flush()


def bombs(bomb: bytes) -> list[Piece]:
    return reply(200, bomb, "application/json", "Content-Encoding: gzip")


def beside(port: int, line: Path) -> str:
    """The counting meter, and two instruments that say too much."""
    more = BESIDE.replace("{port}", str(port)).replace("{line}", str(line))
    return CONFIGURATION.replace("devices:\n", more)


def flood(line: Pty) -> None:
    """Lines without an end."""
    for _ in range(FLOOD_BYTES >> 12):
        line.send(b"$" * 4096)


@contextlib.asynccontextmanager
async def flooding() -> AsyncIterator[int]:
    """A device that answers a question with frames of the largest length there is, for ever."""
    open_: set[asyncio.StreamWriter] = set()

    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_.add(writer)
        with contextlib.suppress(OSError):
            for _each in range(FLOOD_BYTES // len(GARBAGE)):  # for ever, as far as a test can tell
                writer.write(GARBAGE)
                await writer.drain()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in open_:
            writer.transport.abort()


def peak_kb(daemon: subprocess.Popen[bytes]) -> int:
    """The most that it had in memory so far (proc(5))."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{daemon.pid}/status").read_text())
    assert found
    return int(found[1])
