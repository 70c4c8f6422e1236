"""Finding things: who is on a line, what registers mean, what is said. Peers are libmodbus."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, aclosing
from typing import ClassVar

import pytest

from agent.driver import (
    Asker,
    Asks,
    DeviceFault,
    Discovers,
    Listens,
    Mark,
    Monitors,
    Place,
    Question,
    Reads,
    Reason,
    Search,
    Step,
    Traffic,
    Writes,
)
from agent.errors import BusyError, ValidationError
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.finder import ModbusFinder
from drivers.modbus.plan import Table
from drivers.modbus.requests import read_request, write_registers_request
from tests.drivers.modbus import plant
from tests.lab.serial.rs485bus import Rs485Bus
from tests.lab.serial.slaves import on_line
from tests.lab.sink import KeepingSink

BAUD = 19200
FIVE = Mark("bench-five", read_request(1, Table.HOLDING, 7, 1).pdu, "5007")
OTHER = Mark("other-model", read_request(1, Table.HOLDING, 0, 1).pdu, "77")
HINT = Mark("hint-model", read_request(1, Table.HOLDING, 1, 2).pdu)


@pytest.fixture
def bus() -> Iterator[Rs485Bus]:
    with Rs485Bus("master", "s2=2", "s5=5", "ear", baud=BAUD) as line, ExitStack() as slaves:
        for unit in (2, 5):
            slaves.enter_context(on_line(line.port(f"s{unit}"), unit, BAUD))
        yield line


def alone(bus: Rs485Bus, node: str = "master") -> ModbusDriver:
    """A driver of this line that has no devices."""
    return plant.driver(plant.on_line(bus.port(node), []))


def reading(bus: Rs485Bus, **settings: str) -> ModbusDriver:
    like = plant.profile("a: holding 0 uint16; gone: input 200 uint16")
    return plant.driver(plant.on_line(bus.port("master"), [plant.device("m", 2, like, **settings)]))


async def seen(asker: Asker, search: Search) -> list[Step]:
    async with aclosing(ModbusFinder().scan(asker, search)) as steps:
        return [step async for step in steps]


def search(
    addresses: Sequence[int], lines: Sequence[str] = ("",), *, done: int = 0, force: bool = False
) -> Search:
    return Search(lines, addresses, lambda: [OTHER, FIVE, HINT], 0.1, done, force)


async def test_everybody_on_the_line_is_found_and_known_models_are_named(bus: Rs485Bus) -> None:
    async with alone(bus).asking() as asker:
        steps = await seen(asker, search(range(1, 7)))
    assert [(s.done, s.total, s.address) for s in steps] == [(n, 6, n) for n in range(1, 7)]
    two, five = (step.found for step in steps if step.found)
    assert (two.address, two.profiles, two.sure) == (2, [], False)  # one register proves nothing
    assert (five.address, five.profiles, five.sure) == (5, ["bench-five"], True)
    assert five.says == "input 0..1 = 2710 2711"


class Unmannered:
    """A twin of a sensor that has input registers, and is silent to anything else it is asked."""

    async def ask(self, question: Question) -> bytes:
        if question.unit != 9 or question.body[0] != 4:
            raise DeviceFault(Reason.NO_ANSWER, "no answer")
        return b"\x04\x02\x00\xeb" if question.body[-1] == 1 else b"\x04\x04\x00\xeb\x01\xf4"


async def test_who_is_silent_to_what_it_does_not_know_is_found_all_the_same() -> None:
    steps = await seen(Unmannered(), search(range(8, 11)))
    (found,) = (step.found for step in steps if step.found)
    assert (found.address, found.says) == (9, "input 0..1 = 00EB 01F4")


async def test_a_scan_tries_line_settings_one_after_the_other(bus: Rs485Bus) -> None:
    """A pty hears any speed, a wire only one; and a pty has no parity, as some adapters."""
    async with alone(bus).asking() as asker:
        steps = await seen(asker, search([5], ["9600 8N1", "", "19200 8E1", "38400 8N1"]))
    found = [(s.found.line, s.found.also) if s.found else None for s in steps]
    assert found == [
        ("9600 8N1", ()),
        ("9600 8N1", [""]),
        None,
        ("9600 8N1", ["", "38400 8N1"]),
    ]


class TwoOfOneAddress:
    """A twin of a wire with two devices of address 1, set differently, and one of address 2."""

    NAMES: ClassVar = {"9600 8N1": b"pump", "19200 8E1": b"fan"}

    async def ask(self, question: Question) -> bytes:
        name = self.NAMES.get(question.line)
        if name is None or (question.unit, question.line) not in {
            (1, "9600 8N1"), (1, "19200 8E1"), (2, "19200 8E1"),
        }:  # fmt: skip
            raise DeviceFault(Reason.NO_ANSWER, "no answer")
        if question.body[0] == 0x2B:
            return b"\x2b\x0e\x01\x01\x00\x00\x01\x00" + bytes([len(name)]) + name
        return bytes([question.body[0] | 0x80, 2])


async def test_two_devices_of_one_address_that_are_set_differently_are_two() -> None:
    steps = await seen(TwoOfOneAddress(), search([1, 2], ["9600 8N1", "19200 8E1", "2400 8E1"]))
    found = [(s.found.address, s.found.line, s.found.name) for s in steps if s.found]
    assert found == [
        (1, "9600 8N1", "pump"),
        (1, "19200 8E1", "fan"),
        (2, "19200 8E1", "fan"),
    ]
    assert not [s for s in steps if s.found and s.found.also]


class Refusing:
    """A twin of a gateway: some units fail, one is busy, and nobody is behind the others."""

    async def ask(self, question: Question) -> bytes:
        code = {3: 4, 4: 6, 5: 5}.get(question.unit, 11)
        return bytes([question.body[0] | 0x80, code])


async def test_who_refuses_everything_is_told_with_the_exception_it_says() -> None:
    steps = await seen(Refusing(), search(range(3, 7)))
    found = [step.found for step in steps if step.found]
    assert all(one.refuses and not one.profiles for one in found)
    assert [one.says for one in found] == [
        "answers, but only with exception 4: the device failed",
        "answers, but only with exception 6: it is busy",
        "answers, but only with exception 5: it needs more time",
        "answers, but only with exception 11: the converter gets no answer from it",
    ]


async def test_a_scan_that_was_stopped_goes_on_where_it_was(bus: Rs485Bus) -> None:
    async with alone(bus).asking() as asker:
        first = [s.address for s in await seen(asker, search(range(1, 7)))][:3]
        rest = [s.address for s in await seen(asker, search(range(1, 7), done=3))]
    assert first + rest == [*range(1, 7)]


async def test_a_line_in_use_is_not_disturbed_unless_told(bus: Rs485Bus) -> None:
    driver, sink = reading(bus, every="100ms"), KeepingSink()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(driver.run(sink), name="driver")
        await sink.heard()
        async with driver.asking() as asker:
            assert await asker.ask(Question(2, read_request(2, Table.HOLDING, 0, 1).pdu))
            with pytest.raises(BusyError, match="1 device is read"):
                await seen(asker, search([5]))
            steps = await seen(asker, search([1, 5], ["", "9600 8N1"], force=True))
        before = len(sink.samples)
        await sink.heard(before + 2)  # and the line is set as it was
        task.cancel()
    assert [s.address for s in steps if s.found] == [5, 5]
    assert {f[2].reason for f in sink.faults if f[1] is None} <= {Reason.OVERRUN}


async def test_nothing_that_writes_is_let_through(bus: Rs485Bus) -> None:
    async with alone(bus).asking() as asker:
        for body in (write_registers_request(5, 0, b"\0\1").pdu, b"", b"\x03", b"\x03\0\0\xff\xff"):
            with pytest.raises(ValidationError):
                await asker.ask(Question(5, body, force=True))


async def test_a_running_driver_tells_who_is_there_and_goes_on_reading(bus: Rs485Bus) -> None:
    driver, sink = reading(bus, every="200ms"), KeepingSink()
    assert isinstance(driver, Asks | Discovers | Listens | Monitors | Reads | Writes)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(driver.run(sink), name="driver")
        await sink.heard()
        found = await driver.discover(5.0)
        await sink.heard(len(sink.samples) + 2)
        task.cancel()
    assert [(one.address, one.device) for one in found] == [("2", "m"), ("5", None)]
    assert found[1].says == "input 0..1 = 2710 2711"
    assert len(sink.samples) > 5


async def test_a_register_that_is_refused_hides_none_of_the_others(bus: Rs485Bus) -> None:
    driver = reading(bus)
    a, gone = await driver.read("m", None)
    assert (a.value, gone.value) == (2000, None)
    assert (gone.source, gone.form) == (
        "input 200 (30201)",
        "refused: exception 2, illegal address",
    )
    assert (gone.request, gone.answer) == ("02 04 00 C8 00 01 B0 07", "02 84 02 32 C1")
    with pytest.raises(DeviceFault, match="refuses to read input 200"):
        await driver.read("m", "gone")


@pytest.mark.parametrize("where", ["101", "holding 100", "40101", "0x64"])
async def test_a_probe_finds_type_order_and_scale(bus: Rs485Bus, where: str) -> None:
    async with alone(bus).asking() as asker:
        best, *_ = await ModbusFinder().probe(asker, Place(5, where, 26.5))
    assert best.settings == {"read": "holding 100", "as": "float32"}
    assert best.value == pytest.approx(26.5)
    assert best.raw == "41D4 0000"


async def test_a_probe_of_somebody_absent_says_so(bus: Rs485Bus) -> None:
    async with alone(bus).asking() as asker:
        with pytest.raises(DeviceFault, match="no answer at address 9"):
            await ModbusFinder().probe(asker, Place(9, "100", 26.5))
        with pytest.raises(ValidationError, match="no register"):
            await ModbusFinder().probe(asker, Place(5, "there", 26.5))


async def test_what_is_said_on_the_wire_is_told_in_words(bus: Rs485Bus) -> None:
    driver, heard = reading(bus), asyncio.Queue[Traffic]()

    async def listen() -> None:
        async for traffic in driver.traffic():
            heard.put_nowait(traffic)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(listen(), name="listener")
        await asyncio.sleep(0)
        await driver.read("m", "a")
        bus.do("mute s2")
        with pytest.raises(DeviceFault):
            await driver.read("m", "a")
        one, other = await heard.get(), await heard.get()
        task.cancel()
    assert (one.device, one.request, one.means) == ("m", "2 reads holding 0 (40001)", "a 2000")
    assert (one.asked, one.said) == ("02 03 00 00 00 01 84 39", "02 03 02 07 D0 FF E8")
    assert one.ms is not None
    assert (other.asked, other.said, other.fault) == (one.asked, "", "no answer")


async def test_others_are_overheard_without_a_word(bus: Rs485Bus) -> None:
    like = plant.profile("a: holding 0 uint16")
    ear = plant.driver(plant.on_line(bus.port("ear"), [plant.device("m", 2, like)]))
    master, heard = alone(bus), asyncio.Queue[Traffic]()

    async def listen() -> None:
        async for traffic in ear.listen():
            heard.put_nowait(traffic)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(listen(), name="listener")
        await asyncio.sleep(0.1)
        async with master.asking() as asker:
            for unit in (2, 9, 5):
                body = read_request(unit, Table.HOLDING, 0, 2).pdu
                with pytest.raises(DeviceFault) if unit == 9 else ExitStack():
                    await asker.ask(Question(unit, body, timeout_s=0.2))
        told = [await heard.get() for _ in range(3)]
        task.cancel()
    assert [(t.device, t.means, t.fault) for t in told] == [
        ("m", "a 2000", ""),
        (None, "", "no answer"),
        (None, "1388 1389", ""),
    ]
    assert [t.request[:13] for t in told] == ["2 reads holdi", "9 reads holdi", "5 reads holdi"]
    assert "ear: 0" in bus.do("stats").replace("'", "")
