"""The conversation on one line: one exchange at a time, people first, three tries for noise."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Final, Self

from agent.driver import DriverError
from agent.secret import Secret
from drivers.modbus.frames import (
    AsciiFraming,
    Damaged,
    Framing,
    RtuFraming,
    Silent,
    TcpFraming,
)
from drivers.modbus.measured import Measured
from drivers.modbus.plan import Line, SerialPort, Unit
from drivers.modbus.requests import Request
from drivers.modbus.serial_wire import SerialWire
from drivers.modbus.tap import Tap
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


class UnfitError(Exception):
    """This port cannot be set so."""


class Bus:
    """One line, opened while somebody uses it.

    `async with` takes the port or connects, and gives it back behind the last user: the schedule
    and a read on demand may overlap.

    Args:
        line: the plan of the connection.
        wire: what carries it; by default made from the plan.

    Attributes:
        tap: who listens.
        measured: how busy it is.
    """

    def __init__(self, line: Line, wire: Wire | None = None) -> None:
        self._wire = wire or wire_of(line)
        self.tap = Tap(line)
        self.measured = Measured([unit.device for unit in line.units])
        self._character_s = line.serial.character_s if line.serial else 0.0
        self._line = line
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
        tries = NOISE_TRIES
        while True:
            try:
                heard = await self._exchange(unit, ask, first=first)
            except Damaged:
                tries -= 1
                if not tries:
                    raise
            else:
                talked_s = len(heard.answered) * self._character_s
                self.measured.answered(unit.device, heard.took_s, talked_s)
                return heard

    async def tell(self, unit: Unit, request: Request) -> Heard:
        """One write to one unit, never repeated.

        Raises:
            Silent: no answer; the device may have done it or not.
            Damaged: an answer that is none; the same.
            DriverError: the line was lost; the same.
        """
        ask = Ask(request, unit.timeout_s, unit.gap_s, repeatable=False)
        return await self._exchange(unit, ask, first=True)

    async def elsewise(self, place: SerialPort, unit: Unit, request: Request) -> Heard:
        """One request with the port set differently; nobody else is asked meanwhile.

        Raises:
            Silent, Damaged: no answer.
            UnfitError: the port cannot be set so.
            DriverError: the line was lost.
        """
        await self._turns.take(first=False)
        try:
            await self._wire.close()
            other = SerialWire(place, FRAMINGS[self._line.framing]())
            try:
                await _opened(other, place)
                return await other.exchange(Ask(request, unit.timeout_s, unit.gap_s))
            finally:
                await other.close()
                await self._wire.open()
        finally:
            self._turns.give()

    async def _exchange(self, unit: Unit, ask: Ask, *, first: bool) -> Heard:
        if not self._turns.take_at_once():
            await self._turns.take(first=first)
        time = asyncio.get_running_loop().time
        began_s = time()
        try:
            return await (self._overheard(ask) if self.tap else self._wire.exchange(ask))
        finally:
            self.measured.used(began_s, time(), unit.device)
            self._turns.give()

    async def _overheard(self, ask: Ask) -> Heard:
        """One exchange while somebody listens."""
        try:
            heard = await self._wire.exchange(ask)
        except (Silent, Damaged) as error:
            frame = FRAMINGS[self._line.framing]().frame(ask.request, 0)
            self.tap.missed(ask, frame, error)
            raise
        self.tap.heard(ask, heard)
        return heard


async def _opened(wire: Wire, place: SerialPort) -> None:
    try:
        await wire.open()
    except DriverError as error:
        raise UnfitError(place.written) from error


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
