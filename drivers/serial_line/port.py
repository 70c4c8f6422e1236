"""The only module that touches the port: opened without blocking, read through the event loop.

A blocking read in a thread cannot be cancelled, so there is none (pyserial's own time-outs are
unused). Losing the adapter is one error whatever way the kernel says it: end of file, EIO, or a
device that is ready and has nothing.
"""

import asyncio
import errno
import os
import termios
from pathlib import Path
from typing import Self

import serial  # type: ignore[import-untyped]  # pyserial has no types

from agent.driver import ConnectionState, DriverError
from drivers.serial_line.plan import LinePlan

SYSTEM = Path("/sys")
MOST_AT_ONCE = 4096  # bytes; what the kernel keeps of a line
COME_BACK = "Waiting for it to come back; nothing else to do after plugging it in."
SHORTEST_SERIAL = 4  # of an adapter; a shorter last word of its name is part of the model


class Port:
    """One open serial port; `async with` opens it, exclusively, and lets it go.

    Args:
        plan: where it is and how the line is set.

    Raises:
        DriverError: GONE it is not there or was unplugged, BUSY another program holds it.
    """

    def __init__(self, plan: LinePlan) -> None:
        self._plan = plan
        self._serial: serial.Serial | None = None

    async def __aenter__(self) -> Self:
        plan = self._plan
        try:
            self._serial = serial.Serial(
                plan.port,
                plan.baud,
                bytesize=plan.data_bits,
                parity=plan.parity,
                stopbits=plan.stop_bits,
                timeout=0,
                exclusive=True,
            )
        except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
            raise refusal(plan.port, error) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._serial is not None:
            self._serial.close()
            self._serial = None

    async def read(self, timeout_s: float | None) -> bytes:
        """What has arrived, waiting for at least one byte; nothing when the time is up.

        Raises:
            DriverError: the adapter is gone.
        """
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        descriptor = self._descriptor()
        loop.add_reader(descriptor, _wake, ready)
        try:
            async with asyncio.timeout(timeout_s):
                await ready
        except TimeoutError:
            return b""
        finally:
            loop.remove_reader(descriptor)
        return self._take(descriptor)

    def _descriptor(self) -> int:
        if self._serial is None:
            message = "the port is read before it is open"
            raise RuntimeError(message)
        return int(self._serial.fileno())

    def _take(self, descriptor: int) -> bytes:
        try:
            data = os.read(descriptor, MOST_AT_ONCE)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise gone(self._plan.port) from error
        if not data:
            raise gone(self._plan.port)
        return data


def gone(port: str) -> DriverError:
    """The adapter behind this port is not there."""
    return DriverError(
        ConnectionState.GONE, f"the adapter {adapter(port)} is gone", action=COME_BACK
    )


def refusal(port: str, error: Exception) -> DriverError:
    """Why a port cannot be opened, and what to do about it."""
    number = getattr(error, "errno", None)
    if number in {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK}:
        action = f"End the other program, or give it another adapter:  fuser -v {port}"
        return DriverError(
            ConnectionState.BUSY, f"{port} belongs to another program", action=action
        )
    if number == errno.EACCES:
        action = "Add the service's user to the group that owns the port, usually dialout."
        message = f"{port} may not be opened by this user"
        return DriverError(ConnectionState.GONE, message, action=action)
    if number in {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO}:
        return gone(port)
    message = f"{port} cannot be used as a serial port: {error}"
    action = "Is it the right port, and does the adapter know this `line:`?  fieldpost scan serial"
    return DriverError(ConnectionState.GONE, message, action=action)


def adapter(port: str) -> str:
    """What a person calls the adapter: its serial number where the name of the port has one."""
    name = Path(port).name.partition("-if")[0]
    number = name.rpartition("_")[2]
    numbered = len(number) >= SHORTEST_SERIAL and any(c.isdigit() for c in number)
    return number if "/by-id/" in port and numbered else port


def identity(port: str, system: Path = SYSTEM) -> str | None:
    """Which adapter answers at this port now: maker, model and serial number, as USB tells them.

    Returns:
        None where nothing can be told: built-in ports, ptys, adapters that are gone.
    """
    tty = system / "class/tty" / Path(port).resolve().name / "device"
    folder = tty.resolve()
    while folder != folder.parent:
        if (folder / "idVendor").exists():
            return ":".join(_fact(folder / n) for n in ("idVendor", "idProduct", "serial"))
        folder = folder.parent
    return None


def _fact(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
