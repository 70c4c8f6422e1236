"""What a TCP peer may do wrong, and what must not come of it. The peer is a script."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from agent.driver import DeviceFault, Reason
from tests.drivers.modbus import plant
from tests.lab.sink import KeepingSink

Answer = Callable[[bytes, int], bytes | None]


class Scripted:
    """A Modbus TCP slave of one register, whose answers a test bends."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[bytes] = []
        self.connections = 0
        self._answer = answer
        self._writers: list[asyncio.StreamWriter] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.read(7):
                body = await reader.readexactly(int.from_bytes(head[4:6]) - 1)
                self.asked.append(head + body)
                answer = self._answer(head + body, len(self.asked))
                if answer == b"close":
                    break
                writer.write(answer or b"")
        writer.close()

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def peer(answer: Answer) -> AsyncIterator[tuple[Scripted, int]]:
    script = Scripted(answer)
    server = await asyncio.start_server(script, "127.0.0.1", 0)
    async with server:
        yield script, server.sockets[0].getsockname()[1]
        await script.close()


def good(asked: bytes, value: int = 42) -> bytes:
    """The right answer to a read of registers."""
    count = int.from_bytes(asked[10:12])
    data = b"".join(((value + n) & 0xFFFF).to_bytes(2) for n in range(count))
    pdu = asked[7:8] + bytes([len(data)]) + data
    return asked[:4] + (len(pdu) + 1).to_bytes(2) + asked[6:7] + pdu


async def polled(answer: Answer, **settings: str) -> tuple[KeepingSink, Scripted]:
    """What a driver makes of the first polls of one register."""
    async with peer(answer) as (script, port):
        like = plant.profile("x: holding 0 uint16")
        compiled = plant.on_host(port, [plant.device("m", 7, like)], **settings)
        sink = KeepingSink()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(plant.driver(compiled).run(sink), name="driver")
            await sink.until(lambda: len(sink.samples) + len(sink.faults) >= 2)
            task.cancel()
    return sink, script


async def test_an_answer_with_another_number_is_passed_over() -> None:
    def stale_first(asked: bytes, _: int) -> bytes:
        stale = bytes([asked[0], asked[1] ^ 1]) + good(asked, 13)[2:]
        return stale + good(asked)

    sink, _ = await polled(stale_first)
    assert {s.values["x"] for s in sink.samples} == {42}


async def test_an_answer_of_another_unit_is_passed_over() -> None:
    def neighbour_first(asked: bytes, _: int) -> bytes:
        other = good(asked, 13)
        return other[:6] + b"\x09" + other[7:] + good(asked)

    sink, _ = await polled(neighbour_first)
    assert {s.values["x"] for s in sink.samples} == {42}


@pytest.mark.parametrize(
    "bent",
    [
        lambda a: good(a)[:7] + b"\x04" + good(a)[8:],  # another function
        lambda a: a[:4] + b"\x00\x07" + a[6:8] + b"\x04\x00\x2a\x00\x2b",  # two registers
        lambda a: a[:2] + b"HT" + good(a)[4:],  # another protocol
        lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
async def test_an_answer_to_another_question_is_damage_and_never_a_value(
    bent: Callable[[bytes], bytes],
) -> None:
    sink, script = await polled(lambda asked, _: bent(asked))
    assert sink.samples == []
    assert {error.reason for _, _, error in sink.faults} == {Reason.DAMAGED}
    assert script.connections > 1  # a stream out of step is not read on


async def test_an_answer_in_pieces_is_put_together() -> None:
    async def pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.read(12):
            for byte in good(asked):
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    async with await asyncio.start_server(pieces, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        like = plant.profile("x: holding 0 uint16")
        driver = plant.driver(plant.on_host(port, [plant.device("m", 7, like)]))
        assert (await driver.read("m", "x"))[0].value == 42


@pytest.mark.parametrize("code", [1, 2, 3, 4, 7, 8, 9, 99])
async def test_every_exception_is_a_typed_error_and_the_next_request_is_unharmed(
    code: int,
) -> None:
    def refuse_once(asked: bytes, number: int) -> bytes:
        if number > 1:
            return good(asked)
        return asked[:4] + b"\x00\x03" + asked[6:7] + bytes([asked[7] | 0x80, code])

    sink, _ = await polled(refuse_once)
    ((device, point, error),) = sink.faults
    assert (device, point, error.reason) == ("m", "x", Reason.REFUSED)
    await sink.heard()


async def test_a_converter_that_gets_no_answer_is_a_silent_unit() -> None:
    def no_target(asked: bytes, _: int) -> bytes:
        return asked[:4] + b"\x00\x03" + asked[6:7] + bytes([asked[7] | 0x80, 11])

    async with peer(no_target) as (_, port):
        like = plant.profile("x: holding 0 uint16")
        driver = plant.driver(plant.on_host(port, [plant.device("m", 7, like)]))
        sink = KeepingSink()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(driver.run(sink), name="driver")
            await sink.complained()
            task.cancel()
    assert sink.faults[0][2].reason is Reason.NO_ANSWER


async def test_what_is_not_a_number_is_a_fault_of_its_point_and_the_others_survive() -> None:
    like = plant.profile("bad: holding 0 float32; good: holding 2 uint16")

    def nan(asked: bytes, _: int) -> bytes:
        return asked[:4] + b"\x00\x09" + asked[6:8] + b"\x06\x7f\xc0\x00\x00\x00\x2a"

    async with peer(nan) as (_, port):
        driver, sink = (
            plant.driver(plant.on_host(port, [plant.device("m", 7, like)])),
            KeepingSink(),
        )
        async with asyncio.TaskGroup() as group:
            task = group.create_task(driver.run(sink), name="driver")
            await sink.heard(2)
            task.cancel()
    assert dict(sink.samples[0].values) == {"good": 42}
    device, point, error = sink.faults[0]
    assert (device, point, error.reason) == ("m", "bad", Reason.NOT_A_NUMBER)


async def test_silence_is_a_fault_after_three_tries() -> None:
    async with peer(lambda *_: None) as (script, port):
        like = plant.profile("x: holding 0 uint16")
        compiled = plant.on_host(port, [plant.device("m", 7, like)], timeout="30ms")
        sink = KeepingSink()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(plant.driver(compiled).run(sink), name="driver")
            await sink.complained()
            task.cancel()
    assert len(script.asked) == 3
    error = sink.faults[0][2]
    assert error.message == (f"no answer from 127.0.0.1:{port} at address 7 (3 tries, 0.03 s each)")


async def test_a_device_that_closes_idle_connections_loses_no_poll() -> None:
    async with peer(lambda asked, n: b"close" if n == 2 else good(asked)) as (script, port):
        like = plant.profile("x: holding 0 uint16")
        driver = plant.driver(plant.on_host(port, [plant.device("m", 7, like)]))
        sink = KeepingSink()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(driver.run(sink), name="driver")
            await sink.heard(3)
            task.cancel()
    assert (sink.faults, script.connections) == ([], 2)


async def test_a_cancelled_read_leaves_nothing_behind_for_the_next() -> None:
    late: list[bytes] = []

    def first_is_late(asked: bytes, number: int) -> bytes | None:
        if number == 1:
            late.append(good(asked, 13))
            return None
        return late.pop() + good(asked) if late else good(asked)

    async with peer(first_is_late) as (_, port):
        like = plant.profile("x: holding 0 uint16")
        compiled = plant.on_host(port, [plant.device("m", 7, like)], framing="tcp")
        driver = plant.driver(compiled)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await driver.read("m", "x")
        assert (await driver.read("m", "x"))[0].value == 42


async def test_a_silent_device_on_demand_is_a_fault() -> None:
    async with peer(lambda *_: None) as (_, port):
        like = plant.profile("x: holding 0 uint16")
        compiled = plant.on_host(port, [plant.device("m", 7, like)], timeout="30ms")
        with pytest.raises(DeviceFault, match="no answer"):
            await plant.driver(compiled).read("m", "x")


async def test_a_write_without_an_answer_is_looked_at_and_never_repeated() -> None:
    def deaf_to_writes(asked: bytes, _: int) -> bytes | None:
        return good(asked, 5) if asked[7] == 3 else None

    async with peer(deaf_to_writes) as (script, port):
        like = plant.profile("x: holding 0 uint16 write=true")
        compiled = plant.on_host(port, [plant.device("m", 7, like)], timeout="50ms")
        driver = plant.driver(compiled)
        with pytest.raises(DeviceFault, match=r"was told x = 9, no answer came, and shows 5"):
            await driver.write("m", "x", 9)
        assert [asked[7] for asked in script.asked] == [6, 3]
        assert (await driver.write("m", "x", 5)).value == 5  # done, although it said nothing
