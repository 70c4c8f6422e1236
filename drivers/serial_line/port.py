"""The only module that touches the port: opened without blocking, read through the event loop.

A blocking read in a thread cannot be cancelled, so there is none (pyserial's own time-outs are
unused). Losing the adapter is one error whatever way the kernel says it: end of file, EIO, or a
device that is ready and has nothing.
"""

import asyncio
import os
import termios
from typing import Self

import serial  # type: ignore[import-untyped]  # pyserial has no types

from agent.driver import gone, not_opened
from drivers.serial_line.plan import LinePlan

MOST_AT_ONCE = 4096  # bytes; what the kernel keeps of a line


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
            raise not_opened(plan.port, error) from error
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


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
