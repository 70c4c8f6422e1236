"""A D-Bus of our own: a dbus-daemon child that only this demo or test talks over."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from agent.errors import UnavailableError

STARTS_WITHIN_S = 5.0
CONFIGURATION = """<busconfig><type>system</type><listen>unix:path={folder}/bus</listen>
<auth>EXTERNAL</auth><policy context="default"><allow send_destination="*" eavesdrop="false"/>
<allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>"""


@contextlib.asynccontextmanager
async def private_bus() -> AsyncIterator[str]:
    """Run a dbus-daemon; yields the address for `DBUS_SYSTEM_BUS_ADDRESS`.

    Raises:
        UnavailableError: dbus-daemon is not installed, or does not start.
    """
    program = shutil.which("dbus-daemon")
    if program is None:
        message = "there is no dbus-daemon on this machine"
        raise UnavailableError(message, action="sudo apt-get install dbus")
    with tempfile.TemporaryDirectory(prefix="fieldpost-bus-") as folder:
        daemon = await asyncio.create_subprocess_exec(
            program,
            f"--config-file={_configure(Path(folder))}",
            "--nofork",
            "--print-address",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # unprivileged, it grumbles about open files
        )
        try:
            yield await _address(daemon)
        finally:
            with contextlib.suppress(ProcessLookupError):
                daemon.terminate()
            await daemon.wait()


def _configure(folder: Path) -> Path:
    configuration = folder / "bus.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder), encoding="utf-8")
    return configuration


async def _address(daemon: asyncio.subprocess.Process) -> str:
    assert daemon.stdout is not None  # noqa: S101 - asked for above
    try:
        async with asyncio.timeout(STARTS_WITHIN_S):
            line = await daemon.stdout.readline()
    except TimeoutError:
        line = b""
    if not line:
        message = "dbus-daemon does not start"
        raise UnavailableError(message)
    return line.decode().strip()
