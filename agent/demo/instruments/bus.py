"""The Modbus instruments on their wires: pymodbus servers behind a paced line and a TCP port."""

import asyncio
import os
import pty
import socket
import tty
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from agent.demo.instruments.meters import Image

BAUD = 9600
BITS = 10  # 8N1 on the wire
REGISTERS = 65_536
HOLDING = (3, 6, 16, 22, 23)  # function codes that mean holding registers


@dataclass
class Unit:
    """One instrument on a Modbus wire.

    Attributes:
        mark: a register every poll reads once; reading it is what counts as a poll.
        image: all registers, as they are now.
        polled: told of each poll that was answered.
    """

    name: str
    address: int
    mark: int
    image: Callable[[], Image]
    polled: Callable[[str], None]
    quiet: bool = False
    _silent: bool = field(default=False, init=False)

    def device(self) -> SimDevice:
        """What pymodbus serves: every register readable, filled in at each request."""
        # pymodbus adds one register of its own at the end, and refuses address 65536
        words = [SimData(0, count=REGISTERS - 1, values=0, datatype=DataType.REGISTERS)]
        bits = [SimData(0, count=16, values=False, datatype=DataType.BITS)]
        return SimDevice(self.address, (bits, list(bits), words, list(words)), action=self.answer)

    async def answer(  # noqa: PLR0913, PLR0917 - pymodbus calls it with these
        self,
        code: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Put the present values where pymodbus takes its answer from."""
        if written is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        asked = range(address, address + count)
        # a poll that has begun is answered to its end, so that what was counted is whole
        self._silent = self._silent or (self.quiet and self.mark in asked)
        if self._silent:
            return ExcCodes.DEVICE_BUSY
        image = self.image()
        words = image.holding if code in HOLDING else image.input
        for n in asked:
            registers[n - start] = words.get(n, 0)
        if self.mark in asked:
            self.polled(self.name)
        return None


class Line:
    """Two ptys with a wire of true speed between them: one end for us, one for the gateway.

    Args:
        link: the name under which the gateway finds its end.
    """

    def __init__(self, link: Path) -> None:
        self.link = link
        self.ours = ""
        self._open: list[int] = []
        self._free_at: dict[int, float] = {}

    def __enter__(self) -> Self:
        far, far_slave = pty.openpty()
        near, near_slave = pty.openpty()
        # slaves stay open here: a master whose slave is closed reports an error without end
        self._open = [far, far_slave, near, near_slave]
        for slave in (far_slave, near_slave):
            tty.setraw(slave)
        self.ours = os.ttyname(near_slave)
        self.link.symlink_to(os.ttyname(far_slave))
        loop = asyncio.get_running_loop()
        loop.add_reader(far, self._carry, far, near)
        loop.add_reader(near, self._carry, near, far)
        return self

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for fd in self._open:
            loop.remove_reader(fd)
            os.close(fd)
        self._open = []
        self.link.unlink(missing_ok=True)

    def _carry(self, source: int, sink: int) -> None:
        """Pass bytes on when the last of them would have left a real wire."""
        data = os.read(source, 4096)
        loop = asyncio.get_running_loop()
        begins = max(loop.time(), self._free_at.get(sink, 0.0))
        ends = begins + len(data) * BITS / BAUD
        self._free_at[sink] = ends
        loop.call_at(ends, self._deliver, sink, data)

    def _deliver(self, sink: int, data: bytes) -> None:
        if sink in self._open:
            os.write(sink, data)


async def serve_line(units: list[Unit], line: Line, ready: asyncio.Barrier) -> None:
    """Answer for all units of one RS-485 line until cancelled.

    One server for all of them: a second one would answer for its neighbour's address.
    """
    devices = [unit.device() for unit in units]
    server = ModbusSerialServer(
        devices, framer=FramerType.RTU, port=line.ours, baudrate=BAUD, bytesize=8, parity="N"
    )
    await _serve(server, ready)


async def serve_tcp(unit: Unit, port: int, ready: asyncio.Barrier) -> None:
    """Answer on 127.0.0.1 until cancelled."""
    await _serve(ModbusTcpServer([unit.device()], address=("127.0.0.1", port)), ready)


def free_port() -> int:
    """A TCP port of the loopback that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def _serve(server: ModbusSerialServer | ModbusTcpServer, ready: asyncio.Barrier) -> None:
    await server.serve_forever(background=True)
    await ready.wait()
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus gives it no hints
