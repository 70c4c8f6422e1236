"""Fault 43: a byte a second, endless headers, a huge body, a bomb that unpacks."""

import gzip
import resource
import time
from collections.abc import Iterator

import pytest

from agent.cloud import Unreachable
from tests.cloud.records import batch
from tests.faults.clouds import http
from tests.lab.scripted import Answer, Piece, Scripted, always, reply

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MEGABYTE = b"x" * 1_000_000


def a_byte_at_a_time(_: object) -> Iterator[Piece]:
    yield HEAD + b"Content-Length: 1000\r\n\r\n"
    while True:
        yield b" "
        yield 0.05


def endless_headers(_: object) -> Iterator[Piece]:
    yield HEAD
    while True:
        yield b"X-More: and more\r\n"
        yield 0.001


def a_huge_body(_: object) -> Iterator[Piece]:
    yield HEAD + b"Content-Length: 10000000000\r\n\r\n"
    while True:
        yield MEGABYTE


def nothing_at_all(_: object) -> Iterator[Piece]:
    yield 30.0


BOMB = gzip.compress(b" " * 200_000_000, 9)

ANSWERS: dict[str, Answer] = {
    "a byte at a time": a_byte_at_a_time,
    "endless headers": endless_headers,
    "a huge body": a_huge_body,
    "a bomb": always(*reply(200, BOMB, "application/json", "Content-Encoding: gzip")),
    "packed in an unknown way": always(
        *reply(200, b"{}", "application/json", "Content-Encoding: br")
    ),
    "broken packing": always(*reply(200, b"{}", "application/json", "Content-Encoding: gzip")),
    "nothing at all": nothing_at_all,
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_no_answer_takes_more_than_its_time_and_its_room(answer: Answer) -> None:
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    async with Scripted(answer) as server, http(server.url) as cloud:
        with pytest.raises(Unreachable):
            await cloud.send(batch(3))
    assert time.monotonic() - began < 3
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 30_000
