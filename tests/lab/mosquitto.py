"""A mosquitto of our own: Debian's program, its own folder, a free port on loopback."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from asyncio.subprocess import Process

MESSAGE = "message "
LINE_BY_LINE = ("stdbuf", "-oL")
PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin") or ""


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """Runs mosquitto with these lines of configuration; `async with`."""

    def __init__(self, folder: Path, lines: Sequence[str] = ("allow_anonymous true",)) -> None:
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        self._lines = lines
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        # the broker started as root would change to a user that cannot read the test's folder
        text = [f"listener {self.port} 127.0.0.1", "user root", *self._lines]
        self._file.write_text("\n".join(text) + "\n")
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.kill()

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            PROGRAM,
            "-c",
            str(self._file),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await answers(self.port)

    async def kill(self) -> None:
        """As a power cut ends it: nothing is written any more."""
        process, self._process = self._process, None
        if process and process.returncode is None:
            process.kill()
            await process.wait()


class Reader:
    """Collects what arrives at a broker, by mosquitto_sub; `async with`."""

    def __init__(self, port: int, topic: str = "#", *more: str) -> None:
        self._command = [
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-t",
            topic,
            "-q",
            "1",
            "-d",  # so that it says when it has subscribed
            "-F",
            f"{MESSAGE}%t %r %x",
            *more,
        ]
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        program = shutil.which("mosquitto_sub") or ""
        self._process = await asyncio.create_subprocess_exec(
            *LINE_BY_LINE, program, *self._command, stdout=asyncio.subprocess.PIPE
        )
        while not (await self._line()).startswith("Subscribed "):
            pass
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()  # what is still in the pipe would keep it

    async def message(self) -> tuple[str, bytes, bool]:
        """The next message: topic, payload, and whether it was a retained one."""
        while not (line := await self._line()).startswith(MESSAGE):
            pass
        topic, retained, payload = line.removeprefix(MESSAGE).split(" ")
        return topic, bytes.fromhex(payload), retained == "1"

    async def _line(self) -> str:
        """What it says next, of messages or of itself."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, "mosquitto_sub has ended"
        return line.decode().strip()


async def answers(port: int, seconds: float = 20.0) -> None:
    """Return once something listens on this port."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return
