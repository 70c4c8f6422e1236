"""Modbus alone: what a request costs, what a value costs, how much of a serial line is used.

    scripts/bench modbus [--rounds 3] [--seconds 10] [--requests 4000] [--json] [--only tcp,rtu]

tcp     CPU of one request of 10 and 125 registers, decoded and put into a sink, against libmodbus
        (C) asking the same slave. Goal: at most 2.7 times.
decode  microseconds per value from the bytes of an answer to a Sample. Goal: at most 2.
rtu     line use against what physics allows, and requests that began before t3.5 had passed, seen
        by the slave. Goal: 97 % at 9600 and 19200, 92 % at 115200, no violation. `waited_for_cpu`
        is the share of the time in which the gateway could have run and others did: on a busy
        machine what is missing is mostly there, and in the kernel's own work for the pty. `load`:
        of the machine (1 min; the bench itself is half a process). Below 1 the figures count.
fair    ten units, one of them dead, at 9600, 19200 and behind a TCP converter: the share of their
        polls that the other nine keep. Goal: 95 %.

Cases run interleaved; medians over the rounds. Only ratios within one run count.
"""

import argparse
import asyncio
import contextlib
import json
import os
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import kit
from meters import Slaves
from tables import by_case

from agent.clock import SystemClock
from agent.driver import DeviceFault, Instant, Sample
from drivers.modbus.bus import Bus
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.frames import payload
from drivers.modbus.layout import Field, block_of
from drivers.modbus.plan import Host, Line, Round, SerialPort, Table, Unit
from drivers.modbus.serial_wire import silence_s
from drivers.modbus.station import Ready, Station

GOALS = {"tcp_times_libmodbus": 2.7, "decode_us": 2.0, "fair_share": 0.95}
LINE_GOALS = {9600: 0.97, 19200: 0.97, 115200: 0.92}
LINES = ((9600, 10), (19200, 10), (115200, 10), (115200, 125))
FIFO = 14  # bytes a UART hands over at once
FAIR_UNITS = 10


class Counter:
    """A sink that counts."""

    def __init__(self) -> None:
        self.samples: dict[str, int] = {}
        self._clock = SystemClock()

    def now(self) -> Instant:
        """As every sink."""
        return self._clock.now()

    async def put(self, sample: Sample) -> None:
        """Count it."""
        self.samples[sample.device] = self.samples.get(sample.device, 0) + 1

    def fault(self, device: str, point: str | None, error: DeviceFault) -> None:
        """Nothing: what is missing shows in the counts."""


def unit(registers: int, address: int = 1, every_s: float = 1.0, code: str = "H") -> Unit:
    """A device of so many registers in one block."""
    width = struct.calcsize(code) // 2
    fields = [
        Field(f"p{n}", Table.HOLDING, n * width, code, width) for n in range(registers // width)
    ]
    rounds = [Round([every_s], [block_of(fields)])]
    return Unit(f"d{address}", address, "bench", 1.0, 0.0, rounds, [f.point for f in fields])


async def ask(line: Line, requests: int) -> dict[str, float]:
    """Requests one behind the other, each decoded and put into a sink."""
    station, sink = Station(line.units[0]), Counter()
    (ready,) = station.round(frozenset(station.intervals_ms))
    async with Bus(line) as bus:
        await once(bus, station, ready, sink)
        waited, cpu, wall = run_queue_s(), time.process_time(), time.monotonic()
        for _ in range(requests):
            await once(bus, station, ready, sink)
        waited = run_queue_s() - waited
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    return {"cpu_us": cpu / requests * 1e6, "requests_s": requests / wall, "waited": waited / wall}


def run_queue_s() -> float:
    """How long the threads of this process could have run and were not let."""
    told = (path.read_text().split() for path in Path("/proc/self/task").glob("*/schedstat"))
    return sum(int(words[1]) for words in told) / 1e9


async def once(bus: Bus, station: Station, ready: Ready, sink: Counter) -> None:
    """What the schedule does for one block."""
    heard = await bus.ask(station.unit, ready.request)
    at = sink.now()
    await sink.put(Sample(station.unit.device, at, ready.codec.decode(payload(heard.pdu)).values))


def decode(code: str) -> dict[str, float]:
    """One answer of 125 registers to a Sample, again and again."""
    station, sink = Station(unit(125, code=code)), Counter()
    (ready,) = station.round(frozenset(station.intervals_ms))
    count = len(ready.block.layers[0].points)
    numbers = [1000 + 7.31 * n if code == "f" else 1000 + n for n in range(count)]
    data = struct.pack(f">{count}{code}", *numbers).ljust(250, b"\0")
    rounds, began = 2000, time.process_time()
    for _ in range(rounds):
        Sample("d1", sink.now(), ready.codec.decode(data).values)
    return {"us": (time.process_time() - began) / rounds / count * 1e6}


async def fair(place: str, baud: int, seconds: float) -> dict[str, float]:
    """Ten units, the last one dead, with the usual patience: the polls that the others keep."""
    patience_s = 0.3 if baud else 2.0
    units = [replace(unit(10, n), timeout_s=patience_s) for n in range(1, FAIR_UNITS + 1)]
    line = Line("bench", "tcp", 0.0, units, host=Host("127.0.0.1", 0 if baud else int(place)))
    if baud:
        line = Line("bench", "rtu", 0.0, units, serial=port_of(place, baud))
    sink = Counter()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ModbusDriver(line).run(sink)
    living = [sink.samples.get(f"d{n}", 0) for n in range(1, FAIR_UNITS)]
    share = min(1.0, min(living) / int(seconds))
    return {"share": share, "dead": sink.samples.get(f"d{FAIR_UNITS}", 0)}


async def converter(port: int) -> None:
    """A TCP converter with nine living units behind it, until it is ended."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                asked = await reader.readexactly(12)
                if asked[6] < FAIR_UNITS:
                    data = bytes(2 * asked[11])
                    head = asked[:4] + (3 + len(data)).to_bytes(2) + asked[6:8]
                    writer.write(head + bytes([len(data)]) + data)

    async with await asyncio.start_server(serve, "127.0.0.1", port) as server:
        print("ready", flush=True)
        await server.serve_forever()


def port_of(path: str, baud: int) -> SerialPort:
    """8N1 at this speed."""
    return SerialPort(path, baud, 8, "N", 1, f"{baud} 8N1")


def child(words: list[str]) -> dict[str, float]:
    """One case, in a process of its own."""
    what, place, number, registers, baud = words
    if what == "decode":
        return decode(place)
    if what == "fair":
        return asyncio.run(fair(place, int(baud), float(number)))
    if what == "converter":
        asyncio.run(converter(int(place)))
    if what == "tcp":
        line = Line("bench", "tcp", 0.0, [unit(int(registers))], host=Host("127.0.0.1", int(place)))
    else:
        serial = port_of(place, int(baud))
        line = Line("bench", "rtu", 0.0, [unit(int(registers))], serial=serial)
    return asyncio.run(ask(line, int(number)))


def measured(*command: Any, limit_s: float = 120.0) -> dict[str, float]:
    """What a child on the measured core says."""
    started = kit.start(command, kit.GATEWAY_CORE, stdout=subprocess.PIPE, text=True)
    try:
        said = started.communicate(timeout=limit_s)[0]
    finally:
        if started.poll() is None:
            started.kill()
            started.wait()
    return dict(json.loads(said))


def me(*words: Any) -> dict[str, float]:
    """This program's own case."""
    return measured(sys.executable, __file__, "--one", *words)


def tcp(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Both clients against the same slave."""
    port = kit.free_ports(1)
    slave = kit.start([kit.built("modbus_slave"), port, 1, folder / "tcp"], kit.WORLD_CORE)
    kit.wait_port(port)
    try:
        return [
            {"case": f"tcp {registers}"}
            | {"ours_cpu_us": ours["cpu_us"], "libmodbus_cpu_us": theirs["cpu_us"]}
            | {"times_libmodbus": ours["cpu_us"] / theirs["cpu_us"]}
            for registers in (10, 125)
            for theirs in [measured(kit.built("modbus_client"), port, options.requests, registers)]
            for ours in [me("tcp", port, options.requests, registers, 0)]
        ]
    finally:
        slave.kill()
        slave.wait()


def rtu(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A line of true speed, asked as fast as it allows."""
    rows = []
    for baud, registers in LINES:
        place = port_of("", baud)
        cycle_s = (13 + 2 * registers) * place.character_s + 2 * silence_s(place)
        requests = max(5, int(options.seconds / cycle_s))
        stats = Slaves(folder / "line")
        command = [kit.built("rtu_slave"), folder / "tty", baud, 10, 0, FIFO, stats.path]
        slave = kit.start(command, kit.WORLD_CORE, stdout=subprocess.PIPE)
        slave.stdout.readline()
        try:
            ours = me("rtu", folder / "tty", requests, registers, baud)
        finally:
            slave.kill()
            slave.wait()
        said = stats.read()
        row = {"case": f"rtu {baud}/{registers}", "line_use": ours["requests_s"] * cycle_s}
        row |= {"violations": said["gap_violations"], "cpu_us": ours["cpu_us"]}
        row |= {"waited_for_cpu": ours["waited"], "load": os.getloadavg()[0]}
        rows.append(row)
    return rows


def decoding(_folder: Path, _options: argparse.Namespace) -> list[dict[str, Any]]:
    """Integers and floats."""
    return [
        {"case": f"decode {name}", "us_per_value": me("decode", code, 0, 0, 0)["us"]}
        for name, code in (("uint16", "H"), ("float32", "f"))
    ]


def fairness(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Lines of ten with one that never answers: two of copper, one behind a converter."""
    seconds, rows = max(30.0, options.seconds), []
    for baud in (9600, 19200, 0):
        stats, place = Slaves(folder / "fair"), kit.free_ports(1) if not baud else folder / "tty"
        command = [sys.executable, __file__, "--one", "converter", place, 0, 0, 0]
        if baud:
            command = [kit.built("rtu_slave"), place, baud, 10, 2000, FIFO, stats.path, FAIR_UNITS]
        slave = kit.start(command, kit.WORLD_CORE, stdout=subprocess.PIPE)
        slave.stdout.readline()
        try:
            said = me("fair", place, seconds, 0, baud)
        finally:
            slave.kill()
            slave.wait()
        rows.append({"case": f"fair 9 of 10 {baud or 'tcp'}"} | said)
    return rows


PARTS = {"decode": decoding, "tcp": tcp, "rtu": rtu, "fair": fairness}


def main() -> None:
    """Measure, and print JSON lines or a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each case on a line")
    parser.add_argument("--requests", type=int, default=4000, help="of each case over TCP")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(child(options.one)))
        return
    folder, rows = kit.work_dir("modbus"), []
    for _ in range(options.rounds):
        for name in options.only.split(","):
            rows += PARTS[name](folder, options)
    for row in by_case(rows):
        words = (f"{key} {value}" for key, value in row.items() if key != "case")
        print(json.dumps(row) if options.json else f"{row['case']:16} {'   '.join(words)}")


if __name__ == "__main__":
    main()
