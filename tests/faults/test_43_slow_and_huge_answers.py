"""Fault 43: a byte a second, endless headers, a huge body, a bomb that unpacks."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.daemon.uplink.retry import FIRST_S
from tests.faults.flaws import NO_DEADLINE, READS_ALL
from tests.faults.road import DEADLINE_S, SOUND, Archive, Build, over_http
from tests.lab.scripted import Answer, Piece, always, reply

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MEGABYTE = b"x" * 1_000_000
ROOM_KB = 30_000


def a_byte_a_second(_: object) -> Iterator[Piece]:
    yield HEAD + b"Content-Length: 1000\r\n\r\n"
    for _ in range(1000):
        yield b" "
        yield 1.0


def endless_headers(_: object) -> Iterator[Piece]:
    yield HEAD
    for _ in range(100_000):
        yield b"X-More: and more\r\n"
        yield 0.01


def a_huge_body(_: object) -> Iterator[Piece]:
    """Ten gigabytes are announced; a hundredth is enough to tell who reads it."""
    yield HEAD + b"Content-Length: 10000000000\r\n\r\n"
    yield from [MEGABYTE] * 100
    yield 1000.0


def nothing_at_all(_: object) -> Iterator[Piece]:
    yield 1000.0


BOMB = gzip.compress(b" " * 200_000_000, 9)

ANSWERS: dict[str, Answer] = {
    "a byte a second": a_byte_a_second,
    "endless headers": endless_headers,
    "a huge body": a_huge_body,
    "a bomb": always(*reply(200, BOMB, "application/json", "Content-Encoding: gzip")),
    "packed in an unknown way": always(
        *reply(200, b"{}", "application/json", "Content-Encoding: br")
    ),
    "broken packing": always(*reply(200, b"{}", "application/json", "Content-Encoding: gzip")),
    "nothing at all": nothing_at_all,
}


def findings(answer: Answer, build: Build) -> list[str]:
    """What an answer took beyond its time and its room, and what became of the data."""
    archive = Archive()
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins again
    before_kb = peak_kb()
    found = over_http(archive, [archive.deaf(answer)], build)
    if (grown_kb := peak_kb() - before_kb) > ROOM_KB:
        found.append(f"I6: {grown_kb} kB for one answer")
    if archive.asked_s[1] - archive.asked_s[0] > DEADLINE_S + FIRST_S + 1:
        found.append(f"I6: {archive.asked_s} s for one answer")
    return list(found)


def peak_kb() -> int:
    """The most memory this process has had."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_no_answer_takes_more_than_its_time_and_its_room(answer: Answer) -> None:
    assert findings(answer, SOUND) == []


@pytest.mark.parametrize(
    ("answer", "build"),
    [
        ("a byte a second", NO_DEADLINE),
        ("nothing at all", NO_DEADLINE),
        ("a huge body", READS_ALL),
        ("a bomb", READS_ALL),
    ],
)
def test_a_client_that_takes_its_time_or_reads_it_all_is_caught(answer: str, build: Build) -> None:
    assert findings(ANSWERS[answer], build) != []
