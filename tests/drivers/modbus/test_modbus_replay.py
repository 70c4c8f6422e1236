"""A recording answers in the place of the devices it was made from."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE

import orjson
import pytest

from agent.driver import DeviceFault
from drivers.modbus import recording
from drivers.modbus.recording import Exchange, NotARecordingError
from drivers.modbus.replay import Replay, Slave
from drivers.modbus.sniffer import AsciiSniffer, RtuSniffer
from tests.drivers.modbus import plant
from tests.drivers.modbus.plant import ascii_frame, rtu_frame

RECORDED = plant.PROFILES.parents[1] / "agent" / "demo" / "files" / "line.jsonl"
ASKED = b"\x04\x00\x0c\x00\x02"
SAID = b"\x04\x04\x45\x03\x84\xcd"
OTHER = b"\x04\x04\x45\x03\x90\x00"


def line(asked: bytes, said: bytes, **more: object) -> bytes:
    told = {
        "schema": "fieldpost.monitor/1", "time": "2026-11-23T14:46:57.050Z", "device": "m",
        "asked": asked.hex(" ").upper(), "said": said.hex(" ").upper(), "means": "", "request": "",
        "ms": 12.0, "fault": "",
    }  # fmt: skip
    return orjson.dumps(told | more) + b"\n"


def rtu(unit: int, pdu: bytes) -> bytes:
    return rtu_frame(bytes([unit]) + pdu)


def mbap(unit: int, pdu: bytes) -> bytes:
    return b"\0\7\0\0" + (len(pdu) + 1).to_bytes(2) + bytes([unit]) + pdu


def test_frames_of_all_kinds_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "line.jsonl"
    two = b"\x02"
    file.write_bytes(
        line(rtu(2, ASKED), rtu(2, SAID))
        + line(mbap(2, ASKED), mbap(2, SAID))
        + line(ascii_frame(two + ASKED), ascii_frame(two + SAID))
        + line(rtu(2, ASKED), b"", ms=None, fault="no answer")
        + line(rtu(2, ASKED), rtu(2, SAID)[:-1], fault="wrong checksum")
        + line(b"", rtu(2, SAID), fault="an answer to nothing")
    )
    whole = Exchange(2, ASKED, SAID, ms=12.0)
    spoiled = Exchange(2, ASKED, None, rtu(2, SAID)[:-1], 12.0)
    assert recording.read(file) == [whole, whole, whole, Exchange(2, ASKED, None), spoiled]


@pytest.mark.parametrize("text", ["no json\n", "{}\n", '{"schema": "fieldpost.read/1"}\n'])
def test_what_is_no_recording_says_which_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "line.jsonl"
    file.write_text(text)
    with pytest.raises(NotARecordingError, match=r"line 1 of line\.jsonl"):
        recording.read(file)


def test_the_same_question_gets_its_answers_in_turn() -> None:
    replay = Replay([Exchange(2, ASKED, SAID), Exchange(2, ASKED, None), Exchange(2, ASKED, OTHER)])
    said = [replay.answer(2, ASKED).said for _ in range(4)]
    assert said == [SAID, None, OTHER, SAID]


def test_another_question_is_answered_from_the_registers_that_were_read() -> None:
    replay = Replay([Exchange(2, ASKED, SAID)])
    assert replay.answer(2, b"\x04\x00\x0d\x00\x01").said == b"\x04\x02\x84\xcd"
    assert replay.answer(2, b"\x04\x00\x0d\x00\x02").said == b"\x84\x02"
    assert replay.answer(2, b"\x06\x00\x0d\x00\x02").said == b"\x86\x01"
    assert replay.answer(9, ASKED).said is None


@asynccontextmanager
async def serving(slave: Slave) -> AsyncIterator[int]:
    server = await asyncio.start_server(slave.on_network, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_our_driver_reads_a_recording_through_the_network() -> None:
    slave = Slave(Replay([Exchange(2, ASKED, SAID), Exchange(2, ASKED, None)]))
    like = plant.profile("power: input 12 float32")
    async with serving(slave) as port:
        driver = plant.driver(plant.on_host(port, [plant.device("m", 2, like)], timeout="200ms"))
        async with driver.asking():  # one connection for both
            (reading,) = await driver.read("m", "power")
            assert reading.value == pytest.approx(2104.3)
            with pytest.raises(DeviceFault, match="no answer"):
                await driver.read("m", "power")


async def test_the_recording_of_the_demo_says_what_its_devices_said() -> None:
    lines = [orjson.loads(line) for line in RECORDED.read_text().splitlines()]
    slave = Slave(Replay(recording.read(RECORDED)))
    like = plant.profile("temperature: input 1 int16 scale=0.1; humidity: input 2 uint16 scale=0.1")
    async with serving(slave) as port:
        devices = [plant.device(name, at, like) for name, at in (("proofer", 21), ("dry", 22))]
        driver = plant.driver(plant.on_host(port, devices))
        async with driver.asking():
            for told in (line for line in lines if line["device"] == "proofer"):
                temperature, humidity = await driver.read("proofer", None)
                means = f"temperature {temperature.value} Cel  humidity {humidity.value} %"
                assert told["means"].replace(".0 ", " ") == means.replace(".0 ", " ")


async def test_an_ascii_line_answers_in_ascii() -> None:
    slave, said = Slave(Replay([Exchange(2, ASKED, SAID)])), list[bytes]()
    await slave.on_wire(AsciiSniffer(), ascii_frame(b"\x02" + ASKED), said.append)
    assert said == [ascii_frame(b"\x02" + SAID)]


async def test_on_a_wire_it_answers_whole_frames_and_repeats_damaged_ones() -> None:
    slave = Slave(Replay([Exchange(2, ASKED, SAID), Exchange(2, ASKED, None, b"\x02\xff")]))
    said: list[bytes] = []
    sniffer = RtuSniffer()
    for piece in (rtu(2, ASKED)[:3], rtu(2, ASKED)[3:], rtu(2, ASKED)):
        await slave.on_wire(sniffer, piece, said.append)
    assert said == [rtu(2, SAID), b"\x02\xff"]


@pytest.mark.timeout(60)
def test_it_ends_without_a_word_while_somebody_is_connected(tmp_path: Path) -> None:
    file = tmp_path / "line.jsonl"
    file.write_bytes(line(rtu(2, ASKED), rtu(2, SAID)))
    command = [sys.executable, "-m", "drivers.modbus.replay", str(file), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True) as process:
        try:
            assert process.stdout
            port = int(process.stdout.readline().rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                client.sendall(mbap(2, ASKED))
                assert client.recv(64) == mbap(2, SAID)
                process.send_signal(signal.SIGINT)
                said, complained = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, said, complained) == (0, "", "")
