"""The MQTT layout: what the README shows, what the reader there gets, and how small it is."""

import json
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cloud import Record, TimeQuality
from agent.cloud.mqtt.columns import Writer, shape_id
from tests.cloud.conftest import README, readme_reader
from tests.cloud.records import EPOCH, record

T0 = 1_795_455_484_593_000_000
BENCH_POINTS = ("mark", *(f"tag_{number}" for number in range(1, 100)))


def plant(rows: int, points: int = 100, seed: int = 1) -> dict[int, Record]:
    """A device whose registers walk, as the bench's do: six of ten by -5..+5."""
    chance = random.Random(seed)  # noqa: S311 -- a simulation
    values = [chance.randrange(5000) for _ in range(points)]
    records = {}
    for row in range(rows):
        values = [v + chance.randint(-5, 5) * (chance.random() < 0.6) for v in values]
        given = dict(zip(BENCH_POINTS, [0x80000000 + row, *values[1:]], strict=False))
        records[row] = Record(EPOCH, 1042 + 10 * row, "device-3", T0 + row * 10**9, given)
    return records


@pytest.mark.parametrize("names_once", [True, False])
@pytest.mark.parametrize("compress", [True, False])
def test_the_readme_reader_gets_what_was_written(*, names_once: bool, compress: bool) -> None:
    records = {5: record(1, "a"), 6: record(2, "b", x=1), 7: record(4, "a"), 8: record(9, "a", x=2)}
    writer = Writer("gw", compress, names_once)
    message = writer.columns("topic", records)
    announced = {shape_id(s): json.loads(writer.announcement(s))["points"] for s in message.shapes}
    read = {name: rest for name, *rest in readme_reader()(message.payload, announced)}
    assert message.indices == [5, 6, 7, 8]
    assert read == {
        f"gw:{EPOCH}:{one.seq}": [one.device, one.time_ns // 10**6, dict(one.values)]
        for one in records.values()
    }


def test_the_shape_in_the_readme_is_the_one_that_is_made() -> None:
    shown = re.findall(r'"points": "([0-9a-f]{8})"', README.read_text(encoding="utf-8"))
    announced = re.findall(r'"points": (\[.*?\])', README.read_text(encoding="utf-8"))
    assert shown == [shape_id(tuple(json.loads(announced[0])))]


def test_estimated_times_stand_in_blocks_of_their_own() -> None:
    exact = record(1)
    guessed = Record(EPOCH, 2, exact.device, exact.time_ns, exact.values, TimeQuality.ESTIMATED)
    message = Writer("gw", compress=False).columns("t", {0: exact, 1: guessed})
    blocks = json.loads(message.payload)["blocks"]
    assert [block.get("time") for block in blocks] == [None, "estimated"]


def test_samples_say_it_plainly() -> None:
    one = record(7, power=2.5)
    message = Writer("gw", compress=False).samples("t", {0: one})
    [sample] = json.loads(message.payload)["samples"]
    assert sample["values"] == {"power": 2.5}
    assert sample["seq"] == 7
    assert sample["time"].endswith("Z")


@given(st.integers(1, 2**31 - 1), st.integers(0, 2**40), st.integers(1, 20))
def test_no_number_but_a_value_looks_like_a_mark(seq: int, gap: int, rows: int) -> None:
    """Unless samples lie 25 days apart, which is what a difference of 2**31 ms means."""
    step = min(gap, 2**31 - 1) * 10**6
    records = {row: Record(EPOCH, seq + row, "d", T0 + row * step, {"x": 1}) for row in range(rows)}
    document = json.loads(Writer("gw", compress=False).columns("t", records).payload)
    numbers = [number for block in document["blocks"] for number in block["seq"] + block["t"]]
    assert not [number for number in numbers if 2**31 <= number < 2**32 and number != seq]


@pytest.mark.parametrize(("rows", "at_most"), [(1, 4.3), (10, 2.2)])
def test_payloads_are_small(rows: int, at_most: float) -> None:
    """With 1.4 and 0.3 bytes of TCP/IP and MQTT for each reading, 6 and 3.7 on the wire."""
    message = Writer("bench").columns("bench/bench/device-3", plant(rows))
    assert len(message.payload) / (100 * rows) <= at_most


def test_small_payloads_stay_plain() -> None:
    message = Writer("gw").columns("t", {0: record(1, power=1.5)})
    assert message.payload.startswith(b"{")
