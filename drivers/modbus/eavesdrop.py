"""Listening to others on a serial line: another master asks, its slaves answer, we are silent."""

import asyncio
import contextlib
import select
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Final

from agent.clock import SystemClock
from agent.driver import ConnectionState, DriverError, Traffic
from drivers.modbus.monitor import Telling
from drivers.modbus.plan import Line, SerialPort
from drivers.modbus.port import Port
from drivers.modbus.sniffer import AsciiSniffer, Frame, RtuSniffer, Sniffer

QUIET_S: Final = 0.25  # an adapter's buffers are empty by then
UNANSWERED_S: Final = 2.0
MOST_AT_ONCE: Final = 4096


async def eavesdrop(line: Line) -> AsyncGenerator[Traffic, None]:
    """What is said on a serial line, until closed.

    Raises:
        DriverError: there is no port to listen at, or another program has it.
    """
    if line.serial is None:
        message = f"{line.place} is on the network: others cannot be heard there"
        raise DriverError(ConnectionState.GONE, message)
    sniffer: Sniffer = AsciiSniffer() if line.framing == "ascii" else RtuSniffer()
    pairs = Pairs(Telling(line))
    async with contextlib.aclosing(_frames(line.serial, sniffer)) as frames:
        async for heard in frames:
            for traffic in (*_paired(pairs, heard), *pairs.waited()):
                yield traffic


class Pairs:
    """Brings answers to their questions.

    Args:
        telling: what frames mean.
    """

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._clock = SystemClock()
        self._asked: tuple[Frame, float] | None = None

    def next(self, frame: Frame) -> Iterator[Traffic]:
        """One more frame."""
        if frame.question:
            yield from self._unanswered()
            self._asked = frame, self._clock.monotonic_s()
        elif frame.noise:
            yield self._traffic(None, frame, fault="no Modbus, or damaged")
        else:
            yield self._answered(frame)

    def waited(self) -> Iterator[Traffic]:
        """Time has passed: a question may be unanswered by now."""
        if self._asked and self._clock.monotonic_s() - self._asked[1] > UNANSWERED_S:
            yield from self._unanswered()

    def _unanswered(self) -> Iterator[Traffic]:
        asked, self._asked = self._asked, None
        if asked:
            yield self._traffic(asked[0], None, fault="" if asked[0].unit == 0 else "no answer")

    def _answered(self, frame: Frame) -> Traffic:
        asked, self._asked = self._asked, None
        if asked is None or asked[0].unit != frame.unit:
            return self._traffic(None, frame, fault="an answer to nothing")
        ms = (self._clock.monotonic_s() - asked[1]) * 1000
        return self._traffic(asked[0], frame, ms=round(ms, 1))

    def _traffic(
        self, asked: Frame | None, said: Frame | None, *, ms: float | None = None, fault: str = ""
    ) -> Traffic:
        telling, one = self._telling, asked or said
        means = ""
        if asked and said:
            means = telling.answer(asked.unit, asked.pdu, said.pdu)
        return Traffic(
            at=self._clock.now(),
            device=telling.device(one.unit) if one else None,
            asked=_hex(asked),
            said=_hex(said),
            means=means,
            request=telling.question(asked.unit, asked.pdu) if asked else "",
            ms=ms,
            fault=fault,
        )


def _paired(pairs: Pairs, heard: Sequence[Frame]) -> Iterator[Traffic]:
    for frame in heard:
        yield from pairs.next(frame)


async def _frames(place: SerialPort, sniffer: Sniffer) -> AsyncGenerator[Sequence[Frame], None]:
    """The frames of each burst, and what silence makes of the rest."""
    ears = _Ears(place)
    ears.open()
    try:
        while True:
            data = await ears.hear(QUIET_S)
            yield [*(sniffer.feed(data) if data else sniffer.quiet())]
    finally:
        ears.close()


class _Ears:
    """The port, read by the event loop."""

    def __init__(self, place: SerialPort) -> None:
        self._port = Port(place)
        self._readable = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def open(self) -> None:
        """Take the port."""
        self._port.open()
        self._loop.add_reader(self._port.descriptor, self._readable.set)

    async def hear(self, within_s: float) -> bytes:
        """What was said, or nothing."""
        self._readable.clear()
        try:
            async with asyncio.timeout(within_s):
                await self._readable.wait()
        except TimeoutError:
            return b""
        if not select.select([self._port.descriptor], [], [], 0)[0]:
            return b""  # what it was readable for has been read
        return self._port.read(MOST_AT_ONCE)

    def close(self) -> None:
        """Give it back."""
        if self._port.descriptor >= 0:
            self._loop.remove_reader(self._port.descriptor)
        self._port.close()


def _hex(frame: Frame | None) -> str:
    return frame.raw.hex(" ").upper() if frame else ""
