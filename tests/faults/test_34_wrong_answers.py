"""Fault 34: exceptions, lengths, functions and transactions that are not what was asked for.

What a TCP peer may do wrong one by one is in `tests/drivers/modbus/test_modbus_tcp_wire.py`.
"""

from collections.abc import Callable

import pytest

from agent.driver import DeviceFault, Reason
from drivers.modbus.frames import TcpFraming
from drivers.modbus.requests import Request
from tests.drivers.modbus import plant
from tests.drivers.modbus.test_modbus_tcp_wire import good, peer

LIKE = plant.profile("x: holding 0 uint16")
BENT: dict[str, Callable[[bytes], bytes]] = {
    "another transaction": lambda a: a[:1] + bytes([a[1] ^ 1]) + good(a, 13)[2:],
    "another unit": lambda a: good(a, 13)[:6] + b"\x09" + good(a, 13)[7:],
    "another function": lambda a: good(a, 13)[:7] + b"\x04" + good(a, 13)[8:],
    "two registers": lambda a: a[:4] + b"\x00\x07" + a[6:8] + b"\x04\x00\x0d\x00\x0d",
    "a length beyond the frame": lambda a: a[:4] + b"\x00\xff" + good(a, 13)[6:],
    "another protocol": lambda a: a[:2] + b"HT" + good(a, 13)[4:],
}


class Credulous(TcpFraming):
    """Takes the last two bytes of whatever comes for the register."""

    def find(self, heard: bytes | bytearray, request: Request, number: int) -> bytes | None:
        del request, number
        return bytes(heard[:7]) + b"\x03\x02" + bytes(heard[-2:]) if len(heard) > 8 else None


async def read(bent: Callable[[bytes], bytes], *, credulous: bool = False) -> object:
    """The value that is read while the first answer is bent, or the fault's reason."""

    def once(asked: bytes, number: int) -> bytes:
        return bent(asked) if number == 1 else good(asked)

    async with peer(once) as (_, port):
        line = plant.on_host(port, [plant.device("m", 7, LIKE)], timeout="100ms")
        driver = plant.driver(line)
        if credulous:
            driver._bus._wire._framing = Credulous()  # type: ignore[attr-defined]  # noqa: SLF001 - a bad build
        try:
            first: object = (await driver.read("m", "x"))[0].value
        except DeviceFault as fault:
            first = fault.reason
        if not credulous:
            assert (await driver.read("m", "x"))[0].value == 42  # the next request is unharmed
    return first


@pytest.mark.parametrize("code", range(1, 12))
async def test_every_exception_is_a_reason_and_the_next_request_is_unharmed(code: int) -> None:
    reason = await read(lambda a: a[:4] + b"\x00\x03" + a[6:7] + bytes([a[7] | 0x80, code]))
    assert reason is Reason.REFUSED


@pytest.mark.parametrize("bent", BENT)
async def test_an_answer_to_another_question_is_never_a_value(bent: str) -> None:
    assert await read(BENT[bent]) in (42, *Reason)


@pytest.mark.parametrize("bent", BENT)
async def test_who_believes_the_answer_anyway_is_caught(bent: str) -> None:
    assert await read(BENT[bent], credulous=True) not in (42, *Reason)
