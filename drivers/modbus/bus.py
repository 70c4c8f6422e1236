"""The conversation on one line: one exchange at a time, people first, three tries for noise."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Final, Self

from agent.secret import Secret
from drivers.modbus.frames import AsciiFraming, Damaged, Framing, Request, RtuFraming, TcpFraming
from drivers.modbus.plan import Line, Unit
from drivers.modbus.serial_wire import SerialWire
from drivers.modbus.tcp_wire import TcpWire
from drivers.modbus.tls import tls_context
from drivers.modbus.turns import Turns
from drivers.modbus.udp_wire import UdpWire
from drivers.modbus.wire import Ask, Heard, Wire

FRAMINGS: Final[Mapping[str, Callable[[], Framing]]] = {
    "rtu": RtuFraming,
    "tcp": TcpFraming,
    "ascii": AsciiFraming,
}
NOISE_TRIES: Final = 3  # at one percent of flipped bits, two answers of three arrive whole


class Bus:
    """One line, opened while somebody uses it.

    `async with` takes the port or connects, and gives it back behind the last user: the schedule
    and a read on demand may overlap.

    Args:
        line: the plan of the connection.
        wire: what carries it; by default made from the plan.
    """

    def __init__(self, line: Line, wire: Wire | None = None) -> None:
        self._wire = wire or wire_of(line)
        self._turns = Turns()
        self._users = 0
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        async with self._opening:
            if not self._users:
                try:
                    await self._wire.open()
                except BaseException:
                    await self._wire.close()
                    raise
            self._users += 1
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._users -= 1
        if not self._users:
            await self._wire.close()

    async def ask(self, unit: Unit, request: Request, *, first: bool = False) -> Heard:
        """One request to one unit, repeated when its answer was damaged.

        Args:
            unit: how long it may take, and what silence it needs.
            request: what to ask.
            first: a person waits for it.

        Raises:
            Silent: nothing came.
            Damaged: three times something came that is no answer.
            DriverError: the line was lost.
        """
        ask = Ask(request, unit.timeout_s, unit.gap_s)
        for _ in range(NOISE_TRIES - 1):
            with contextlib.suppress(Damaged):
                return await self._exchange(ask, first=first)
        return await self._exchange(ask, first=first)

    async def _exchange(self, ask: Ask, *, first: bool) -> Heard:
        if not self._turns.take_at_once():
            await self._turns.take(first=first)
        try:
            return await self._wire.exchange(ask)
        finally:
            self._turns.give()


def wire_of(line: Line, secrets: Mapping[str, Secret] | None = None) -> Wire:
    """What carries this line.

    Args:
        line: the plan.
        secrets: those of its TLS settings.
    """
    framing = FRAMINGS[line.framing]()
    if line.serial is not None:
        return SerialWire(line.serial, framing)
    if line.host is None:
        message = f"{line.name} has neither a port nor a host"
        raise ValueError(message)
    if line.host.transport == "udp":
        return UdpWire(line.host, framing)
    context = partial(tls_context, line.host, secrets or {}) if line.host.secured else None
    return TcpWire(line.host, framing, numbered=line.framing == "tcp", context=context)
