"""A recording answers in the place of the devices it was made from: a simulated slave.

    python -m drivers.modbus.replay line.jsonl --listen 127.0.0.1:1502
    python -m drivers.modbus.replay line.jsonl --port /dev/ttyUSB1 --line "9600 8N1"

Also `fieldpost demo --replay line.jsonl`, with the daemon that reads it.

The same question gets the answers it got then, one after the other and from the first again; what
was silent or damaged then is so again. A question nobody asked then is answered from the registers
that were read, if all of them were; else refused as an illegal address. Nothing is ever written.
"""

import argparse
import asyncio
import contextlib
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from pymodbus.framer import FramerAscii, FramerRTU
from pymodbus.pdu import DecodePDU

from drivers.modbus import recording
from drivers.modbus.plan import FUNCTION, Table
from drivers.modbus.recording import MBAP, Exchange, NotARecordingError
from drivers.modbus.requests import REFUSAL
from drivers.modbus.sniffer import AsciiSniffer, Frame, RtuSniffer, Sniffer

TABLES: Final = {code: table for table, code in FUNCTION.items()}
QUESTION_BYTES: Final = 5  # function, address, count
ILLEGAL_ADDRESS: Final = 2
NO_FUNCTION: Final = 1
REGISTER: Final = 2  # bytes
SNIFFERS: Final[Mapping[str, Callable[[], Sniffer]]] = {"rtu": RtuSniffer, "ascii": AsciiSniffer}


class Replay:
    """What the devices of a recording answer.

    Args:
        exchanges: in the order they happened.
    """

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self._answers: dict[tuple[int, bytes], list[Exchange]] = defaultdict(list)
        self._turn: dict[tuple[int, bytes], int] = defaultdict(int)
        self._registers: dict[tuple[int, Table, int], bytes] = {}
        self.units: set[int] = set()
        for exchange in exchanges:
            self._answers[exchange.unit, exchange.asked].append(exchange)
            if exchange.said is not None:
                self.units.add(exchange.unit)
                self._learn(exchange, exchange.said)

    def answer(self, unit: int, asked: bytes) -> Exchange:
        """What came of this question then, or what would have."""
        key = unit, asked
        known = self._answers.get(key)
        if known:
            turn = self._turn[key]
            self._turn[key] = (turn + 1) % len(known)
            return known[turn]
        if unit not in self.units:
            return Exchange(unit, asked, None)
        return Exchange(unit, asked, self._from_registers(unit, asked))

    def _learn(self, exchange: Exchange, said: bytes) -> None:
        table = TABLES.get(said[0])
        if table is None or table.of_bits or len(exchange.asked) != QUESTION_BYTES:
            return
        start, count = _span(exchange.asked)
        data = said[2:]
        for i in range(min(count, len(data) // REGISTER)):
            word = data[REGISTER * i : REGISTER * (i + 1)]
            self._registers[exchange.unit, table, start + i] = word

    def _from_registers(self, unit: int, asked: bytes) -> bytes:
        table = TABLES.get(asked[0])
        if table is None or len(asked) != QUESTION_BYTES:
            return bytes([asked[0] | REFUSAL, NO_FUNCTION])
        start, count = _span(asked)
        words = [self._registers.get((unit, table, at)) for at in range(start, start + count)]
        data = b"".join(word for word in words if word is not None)
        if len(data) != REGISTER * count or not data:
            return bytes([asked[0] | REFUSAL, ILLEGAL_ADDRESS])
        return bytes([asked[0], len(data)]) + data


class Slave:
    """Gives a replay's answers as fast as they came then.

    Args:
        replay: whose answers.
        pace: 1 as then, 0 at once.
    """

    def __init__(self, replay: Replay, pace: float = 0.0) -> None:
        self._replay, self._pace = replay, pace
        self._talks: dict[asyncio.StreamWriter, asyncio.Event] = {}

    async def on_network(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client of Modbus TCP."""
        over = self._talks[writer] = asyncio.Event()
        try:
            await self._talk(reader, writer)
        finally:
            del self._talks[writer]
            over.set()

    async def hang_up(self) -> None:
        """End every talk. A talk that is cancelled instead is told as a fault by Python 3.11."""
        for writer, over in [*self._talks.items()]:
            writer.transport.abort()
            await over.wait()

    async def on_wire(self, sniffer: Sniffer, data: bytes, say: Callable[[bytes], None]) -> None:
        """What was heard on a serial line, in the frames that the sniffer knows."""
        for frame in [*sniffer.feed(data)]:
            if frame.question:
                await self._answer(frame, say)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError), contextlib.closing(writer):
            while True:
                head = await reader.readexactly(MBAP)
                asked = await reader.readexactly(int.from_bytes(head[4:6]) - 1)
                said = await self._said(head[6], asked)
                if said.said is not None:
                    length = (len(said.said) + 1).to_bytes(2)
                    writer.write(head[:4] + length + head[6:] + said.said)

    async def _answer(self, frame: Frame, say: Callable[[bytes], None]) -> None:
        exchange = await self._said(frame.unit, frame.pdu)
        if exchange.said is None:
            say(exchange.spoiled)
            return
        put_together = FramerAscii if frame.raw.startswith(b":") else FramerRTU
        framer = put_together(DecodePDU(is_server=True))
        say(framer.encode(exchange.said, frame.unit, 0))

    async def _said(self, unit: int, asked: bytes) -> Exchange:
        exchange = self._replay.answer(unit, asked)
        await asyncio.sleep(self._pace * exchange.ms / 1000)
        return exchange


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--listen", metavar="HOST:PORT", default="127.0.0.1:1502")
    parser.add_argument("--port", help="answer on this serial port instead")
    parser.add_argument("--line", default="9600 8N1", help="how the port is set")
    parser.add_argument("--framing", choices=SNIFFERS, default="rtu", help="on a serial port")
    parser.add_argument("--pace", type=float, default=1.0, help="1 as fast as then, 0 at once")
    given = parser.parse_args(arguments)
    try:
        replay = Replay(recording.read(given.recording))
    except (OSError, NotARecordingError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(Slave(replay, given.pace), given))
    return 0


async def _serve(slave: Slave, given: argparse.Namespace) -> None:
    if given.port:
        from drivers.modbus.serial_slave import serve  # noqa: PLC0415 -- pyserial, only where used

        hear = partial(slave.on_wire, SNIFFERS[given.framing]())
        await serve(hear, given.port, given.line)
        return
    host, _, port = given.listen.rpartition(":")
    server = await asyncio.start_server(slave.on_network, host or "127.0.0.1", int(port))
    name = server.sockets[0].getsockname()
    sys.stdout.write(f"answering at {name[0]}:{name[1]}\n")
    sys.stdout.flush()
    async with server:
        try:
            await server.serve_forever()
        finally:
            await slave.hang_up()


def _span(asked: bytes) -> tuple[int, int]:
    return int.from_bytes(asked[1:3]), int.from_bytes(asked[3:5])


if __name__ == "__main__":
    sys.exit(main())
