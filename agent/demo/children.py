"""The two programs beside the demo: the instruments, and the real daemon."""

import asyncio
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import orjson

from agent.demo.instruments.places import Places
from agent.errors import UnavailableError
from agent.plan import from_json

ANSWER_BYTES = 64 * 1024 * 1024  # a long demo's instruments have much to tell
STOP_S = 35.0  # the daemon has 30 s for its last commits
TAIL = 20  # lines of a log worth showing


class Instruments:
    """The instruments' process.

    Attributes:
        places: where they can be reached.
    """

    def __init__(self, folder: Path, seed: int, key: bytes) -> None:
        self._arguments = ["--folder", str(folder), "--seed", str(seed), "--key", key.hex()]
        self._process: asyncio.subprocess.Process | None = None
        self.places = Places("", "", "", "", None, None)

    async def start(self) -> None:
        """Plug everything in.

        Raises:
            UnavailableError: the process ended instead.
        """
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agent.demo.instruments"),
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=ANSWER_BYTES,
            start_new_session=True,
        )
        self.places = from_json(Places, await self._answer())

    async def quiet(self) -> None:
        """From here on nothing new is said."""
        await self._ask(b"quiet\n")

    async def produced(self) -> dict[str, list[float]]:
        """Wall-clock seconds of everything said since the start, by device."""
        return dict(await self._ask(b"produced\n"))

    async def stop(self) -> None:
        """Unplug; it ends when its standard input does."""
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        await _ended(process)

    async def _ask(self, question: bytes) -> dict[str, list[float]]:
        if self._process is None or self._process.stdin is None:
            message = "the instruments are not running"
            raise UnavailableError(message)
        self._process.stdin.write(question)
        return dict(await self._answer())

    async def _answer(self) -> dict[str, list[float]]:
        line = b""
        if self._process and self._process.stdout:
            line = await self._process.stdout.readline()
        if not line:
            message = "the instruments ended unexpectedly"
            raise UnavailableError(message)
        return dict(orjson.loads(line))


@dataclass(frozen=True, slots=True)
class Paths:
    """Where one demo's gateway lives."""

    config: Path
    state: Path
    socket: Path
    log: Path


class Daemon:
    """`fieldpost run`, as a technician would start it."""

    def __init__(self, paths: Paths, bus: str | None) -> None:
        self._paths = paths
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("FIELDPOST_")}
        if bus:
            self._environment["DBUS_SYSTEM_BUS_ADDRESS"] = bus
        self._process: asyncio.subprocess.Process | None = None

    @property
    def ended(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.returncode if self._process else None

    async def start(self) -> None:
        """Start it, its log at the end of the one before."""
        with self._paths.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command(self._paths),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    async def kill(self) -> None:
        """SIGKILL, without warning, with everything it started: as a power cut ends them."""
        if self._process and self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, and time for its last commits."""
        if self._process and self._process.returncode is None:
            self._process.terminate()
            await _ended(self._process)

    def last_words(self) -> str:
        """The end of its log."""
        text = self._paths.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-TAIL:])


def command(paths: Paths) -> list[str]:
    """How the daemon is started; it ends with us where `setpriv` (util-linux) can see to that."""
    fieldpost = Path(sys.executable).with_name("fieldpost")
    words = [sys.executable, str(fieldpost), "run", "--config", str(paths.config)]
    words += ["--state", str(paths.state), "--socket", str(paths.socket)]
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", *words] if setpriv else words


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Wait; what does not end in time is killed with everything it started."""
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
