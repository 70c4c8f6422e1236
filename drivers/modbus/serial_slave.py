"""The serial port of a simulated slave."""

import asyncio
import select
import sys
from collections.abc import Awaitable, Callable
from typing import Final

from drivers.modbus.lending import port_set_to
from drivers.modbus.plan import SerialPort
from drivers.modbus.port import Port

Hear = Callable[[bytes, Callable[[bytes], None]], Awaitable[None]]  # what was heard, how to answer

MOST_AT_ONCE: Final = 4096


async def serve(hear: Hear, port: str, line: str) -> None:
    """Answer on a serial port until cancelled.

    Raises:
        DriverError: the port is not there, or belongs to another program.
        ValueError: `line` is not like 9600 8N1.
    """
    place = port_set_to(SerialPort(port, 9600, 8, "N", 1, "9600 8N1"), line)
    if place is None:
        message = f"'{line}' is not like 9600 8N1"
        raise ValueError(message)
    opened, readable = Port(place), asyncio.Event()
    opened.open()
    loop = asyncio.get_running_loop()
    loop.add_reader(opened.descriptor, readable.set)
    sys.stdout.write(f"answering at {port}\n")
    sys.stdout.flush()
    try:
        while True:
            await readable.wait()
            readable.clear()
            if select.select([opened.descriptor], [], [], 0)[0]:
                await hear(opened.read(MOST_AT_ONCE), opened.write)
    finally:
        loop.remove_reader(opened.descriptor)
        opened.close()
