"""Every kind of value a profile can name, from registers that nobody here encoded to a cloud.

The registers are made by `struct` and by hand, a libmodbus slave on a serial line and a pymodbus
server serve them, and the whole daemon reads both by one profile.
"""

import asyncio
import struct
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from tests.lab.mosquitto import free_port
from tests.lab.serial.rs485bus import Rs485Bus
from tests.lab.serial.slaves import on_line
from tests.lab.whole import Whole, ending

BAUD = 115200
PATIENCE_S = 60.0  # of the whole daemon on a busy machine
CONFIGURATION = """\
version: 1
site: {{name: Lab, id: lab-01}}
connections:
  copper: {{kind: modbus-rtu, port: PORT, line: 115200 8N1, timeout: 10s, gap: 0ms}}
  plc: {{kind: modbus-tcp, host: "127.0.0.1:{meter}", timeout: 10s}}
devices:
  rtu: {{profile: values, via: copper, address: 1}}
  tcp: {{profile: values, via: plc, address: 1}}
cloud:
  keeper: {{kind: http, url: "http://127.0.0.1:{cloud}/in", every: 100ms}}
status: {{listen: none}}
"""
HEAD = "profile: values\ntitle: Every kind\nkind: modbus\nevery: 1s\npoints:\n"
NUMBERS = {
    "int16": ("h", -12345), "uint16": ("H", 54321),
    "int32": ("i", -1234567890), "uint32": ("I", 4000000001),
    "int64": ("q", -1234567890123456789), "uint64": ("Q", 1234567890123456789),
    "float16": ("e", -2.5), "float32": ("f", 230.1), "float64": ("d", 12345678.901234567),
}  # fmt: skip
NOTHING = object()  # the point is not in the sample


@dataclass(frozen=True, slots=True)
class Case:
    """A point: what its registers hold, and what has to arrive."""

    name: str
    as_: str
    wire: bytes
    value: object
    more: str = ""


def ordered(order: str, big: bytes) -> bytes:
    """Bytes that are most significant first, in the order of a maker."""
    words = [big[i : i + 2] for i in range(0, len(big), 2)]
    if order in {"CDAB", "DCBA"}:
        words.reverse()
    if order in {"BADC", "DCBA"}:
        words = [word[::-1] for word in words]
    return b"".join(words)


def numbers() -> Iterator[Case]:
    for as_, (code, value) in NUMBERS.items():
        for order in ("ABCD", "CDAB", "BADC", "DCBA"):
            wire = ordered(order, struct.pack(f">{code}", value))
            yield Case(f"{as_}_{order.lower()}", as_, wire, value, f"order: {order}")


def hexed(name: str, as_: str, wire: str, value: object, more: str = "") -> Case:
    return Case(name, as_, bytes.fromhex(wire), value, more)


CASES = [
    *numbers(),
    # halves of a register
    hexed("high_byte", "uint8h", "AB12", 0xAB),
    hexed("low_byte", "uint8l", "AB12", 0x12),
    hexed("high_signed", "int8h", "FE12", -2),
    hexed("low_signed", "int8l", "1280", -128),
    # decimal digits
    hexed("bcd_4", "bcd", "1234", 1234),
    hexed("bcd_8", "bcd(8)", "12345678", 12345678),
    hexed("bcd_8_low_first", "bcd(8)", "56781234", 12345678, "order: CDAB"),
    hexed("bcd_16", "bcd(16)", "1234567890123456", 1234567890123456),
    hexed("bcd_scaled", "bcd(8)", "00012345", 123.45, "scale: 0.01"),
    hexed("no_digit", "bcd", "12A4", NOTHING),
    hexed("mod_10000", "decimal(12)", "04D2162E0000", 1234_5678_0000),
    hexed("mod_10000_low_first", "decimal(12)", "0000162E04D2", 1234_5678_0000, "order: CDAB"),
    hexed("mod_10000_too_much", "decimal(8)", "00012710", NOTHING),
    # bits
    hexed("a_bit", "bit(9)", "0200", value=True),
    hexed("another_bit", "bit(8)", "0200", value=False),
    hexed("a_bit_of_two", "bit(20)", "00100000", value=True),
    hexed("some_bits", "bits(4-7)", "00A5", 0xA),
    hexed("bits_across", "bits(12-19)", "00012000", 0x12),
    hexed("bits_across_low_first", "bits(12-19)", "20000001", 0x12, "order: CDAB"),
    hexed("all_bits", "bits", "8001", 0x8001),
    hexed("named_bits", "flags", "0009", "overload, door open",
          'values: {0: overload, 3: "door open"}'),
    hexed("unnamed_bit", "flags", "0002", "bit 1", "values: {0: overload}"),
    hexed("no_bits", "flags", "0000", "none", "values: {0: overload}"),
    hexed("far_bits", "flags(32)", "80000001", "first, last", "values: {0: first, 31: last}"),
    hexed("an_enum", "uint16", "0004", "mppt", 'values: {1: "off", 4: mppt}'),
    hexed("an_enum_of_bits", "bits(8-11)", "0400", "mppt", 'values: {1: "off", 4: mppt}'),
    hexed("an_enum_below_zero", "int16", "FFFF", "reverse", "values: {-1: reverse, 1: ahead}"),
    hexed("beyond_the_enum", "uint16", "0009", "9", 'values: {1: "off", 4: mppt}'),
    # texts
    Case("filled_text", "text(10)", b"SDM630    ", "SDM630"),
    Case("ended_text", "text(10)", b"AB\0old one", "AB"),
    Case("odd_text", "text(5)", b"SMA-1\0", "SMA-1"),
    Case("utf8_text", "text(8)", "Zähler\0".encode(), "Zähler"),
    Case("swapped_text", "text(6)", b"BADCFE", "ABCDEF", "order: BADC"),
    Case("text_has_no_words", "text(6)", b"ABCDEF", "ABCDEF", "order: CDAB"),
    Case("empty_text", "text(4)", b"\0\0\0\0", NOTHING),
    # dates
    hexed("unix", "time(unix)", struct.pack(">I", 1795444379).hex(), "2026-11-23T14:32:59Z"),
    Case("unix_low_first", "time(unix)", ordered("CDAB", struct.pack(">I", 1795444379)),
         "2026-11-23T14:32:59Z", "order: CDAB"),
    Case("unix_little", "time(unix)", struct.pack("<I", 1795444379),
         "2026-11-23T14:32:59Z", "order: DCBA"),
    Case("words", "time(words)", struct.pack(">6H", 2026, 11, 23, 14, 46, 57),
         "2026-11-23T14:46:57"),
    Case("pairs", "time(pairs)", bytes([26, 11, 23, 14, 46, 57]), "2026-11-23T14:46:57"),
    Case("pairs_swapped", "time(pairs)", bytes([11, 26, 14, 23, 57, 46]), "2026-11-23T14:46:57",
         "order: BADC"),
    hexed("cp56", "time(cp56)", "001A0B170E2EDEA8", "2026-11-23T14:46:57"),
    hexed("no_date_set", "time(words)", "00" * 12, NOTHING),
    hexed("no_such_date", "time(words)", "07EA000D001F000000000000", NOTHING),
    # scales
    hexed("tenths", "int16", "FFFE", -0.2, "scale: 0.1"),
    hexed("exact_tenths", "uint16", "08FD", 230.1, "scale: 0.1"),
    hexed("thousandths", "uint32", "075BCD15", 123456.789, "scale: 0.001"),
    hexed("offset", "uint16", "0064", 10, "scale: 0.5, offset: -40"),
    hexed("only_offset", "uint16", "0AAB", 0, "offset: -2731"),
    hexed("kilo", "uint16", "0003", 3000, "scale: 1000"),
    Case("scaled_float", "float32", struct.pack(">f", 1234.5), 1.2345, "scale: 0.001"),
    # other registers: an exponent of -1, of 3 and of "none", a ratio of 40, and 0
    hexed("sunspec", "int16", "08FD", 230.1, "exponent: holding 0"),
    hexed("sunspec_long", "uint32", "00010000", 6553.6, "exponent: holding 0"),
    hexed("sunspec_kilo", "int16", "0007", 7000, "exponent: holding 1"),
    hexed("sunspec_none", "int16", "0007", NOTHING, "exponent: holding 2"),
    hexed("sunspec_absent", "int16", "8000", NOTHING, 'exponent: holding 0, nan: "0x8000"'),
    hexed("ratio", "uint16", "0064", 4000, "multiply_by: holding 3"),
    hexed("divided", "uint16", "0064", 2.5, "divide_by: holding 3"),
    hexed("by_nothing", "uint16", "0064", NOTHING, "divide_by: holding 4"),
    # what devices say when they have none
    hexed("absent_16", "int16", "8000", NOTHING, 'nan: "0x8000"'),
    hexed("absent_two", "uint16", "FFFF", NOTHING, 'nan: "0x8000 0xFFFF"'),
    hexed("absent_32", "uint32", "FFFFFFFF", NOTHING, 'nan: "0xFFFFFFFF", scale: 0.1'),
    hexed("absent_low_first", "int32", "00008000", NOTHING, 'nan: "0x80000000", order: CDAB'),
    hexed("absent_64", "uint64", "FF" * 8, NOTHING, 'nan: "0xFFFFFFFFFFFFFFFF"'),
    hexed("absent_float", "float32", "7FC00000", NOTHING, 'nan: "0x7FC00000"'),
    hexed("absent_number_of_a_float", "float32", "FF7FFFFF", NOTHING, 'nan: "0xFF7FFFFF"'),
    hexed("absent_unix", "time(unix)", "FFFFFFFF", NOTHING, 'nan: "0xFFFFFFFF"'),
    hexed("infinite", "float32", "7F800000", NOTHING),
    hexed("present", "int16", "7FFF", 32767, 'nan: "0x8000"'),
    # what cannot be true
    hexed("too_high", "int16", "7FFF", NOTHING, "max: 300"),
    hexed("too_low", "int16", "8000", NOTHING, "min: -40, scale: 0.1"),
    hexed("in_range", "int16", "00EB", 23.5, "min: -40, max: 85, scale: 0.1"),
]  # fmt: skip
SHARED = struct.pack(">hhhHH", -1, 3, -32768, 40, 0)  # holding 0 to 4
WRONG = {  # how many points of a device are not there because their registers cannot be true
    "not_a_number": 6,
    "out_of_range": 2,
}


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came of each device.

    Attributes:
        values: of its first record at the cloud.
        wrong: how often something was wrong with its values since, by reason.
    """

    values: Mapping[str, Mapping[str, Any]]
    wrong: Mapping[str, Mapping[str, int]]


def written() -> tuple[str, bytes]:
    """The profile, and the registers it reads, one point behind the other."""
    rows, memory = [], SHARED
    for case in CASES:
        more = f", {case.more}" if case.more else ""
        at = len(memory) // 2
        rows.append(f"  {case.name}: {{read: holding {at}, as: {case.as_}{more}}}")
        memory += case.wire.ljust(-(-len(case.wire) // 2) * 2, b"\0")
    return HEAD + "\n".join(rows) + "\n", memory


async def arrivals(folder: Path) -> Arrived:
    """Run everything until both devices have been read."""
    site = Whole(folder)
    profile, memory = written()
    (folder / "profiles" / "values.yaml").write_text(profile)
    (folder / "registers").write_bytes(memory)
    port = free_port()
    words = [*struct.unpack(f">{len(memory) // 2}H", memory)]
    simulated = SimDevice(1, [SimData(0, values=words, datatype=DataType.REGISTERS)])
    server = ModbusTcpServer([simulated], address=("127.0.0.1", port))
    async with AsyncExitStack() as things:
        with ExitStack() as lines:
            bus = lines.enter_context(Rs485Bus("master", "s1=1", baud=BAUD))
            serves = {"MB_HOLDING": str(folder / "registers")}
            lines.enter_context(on_line(bus.port("s1"), 1, BAUD, **serves))
            await things.enter_async_context(site.cloud)
            await server.listen()
            things.push_async_callback(server.shutdown)
            site.meter.port = port
            site.configure(CONFIGURATION.replace("PORT", bus.port("master")))
            with ending(site.start()):
                values = await first_of_each(site)
                told = (await site.ask("snapshot"))["devices"]
    return Arrived(values, {name: told[name]["counters"]["errors_total"] for name in values})


async def first_of_each(site: Whole) -> Mapping[str, Mapping[str, Any]]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = {record["device"]: record for _, record in site.archive.records()}
            if len(found) == 2:
                return {name: record["values"] for name, record in found.items()}
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    return asyncio.run(arrivals(tmp_path_factory.mktemp("values")))


@pytest.mark.timeout(PATIENCE_S + 10)
@pytest.mark.parametrize("wire", ["rtu", "tcp"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_value_arrives_as_its_maker_means_it(case: Case, wire: str, arrived: Arrived) -> None:
    found = arrived.values[wire].get(case.name, NOTHING)
    assert found == case.value
    assert isinstance(found, bool) == isinstance(case.value, bool)


@pytest.mark.timeout(PATIENCE_S + 10)
@pytest.mark.parametrize("wire", ["rtu", "tcp"])
def test_a_value_that_cannot_be_true_is_told_and_nothing_else_is(
    wire: str, arrived: Arrived
) -> None:
    wrong = arrived.wrong[wire]
    assert wrong.keys() == WRONG.keys()
    assert all(wrong[reason] >= points for reason, points in WRONG.items())
