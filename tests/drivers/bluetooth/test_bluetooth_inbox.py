"""Repetitions and floods end at the inbox."""

import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agent.sample import Instant
from drivers.bluetooth.inbox import BURST, LONGEST, PER_S, Inbox
from drivers.bluetooth.shapes import ServiceInfo

AT = Instant("boot", 0, 0, trusted=True)


def said(number: int, time_s: float, mac: str = "CB:B8:33:4C:88:4F") -> ServiceInfo:
    return ServiceInfo("tag", mac, -60, {0x0499: number.to_bytes(4)}, {}, [], AT, time_s)


def test_the_same_again_is_dropped_until_it_has_been_a_while() -> None:
    inbox = Inbox(repeat_s=30)
    taken = [inbox.offer(said(1, time_s)) for time_s in (0, 1, 29.9, 30, 31)]
    assert taken == [True, False, False, True, False]


def test_a_weaker_signal_alone_is_nothing_new() -> None:
    inbox = Inbox(repeat_s=30)
    assert inbox.offer(said(1, 0))
    assert not inbox.offer(replace(said(1, 1), rssi=-90))


def test_a_flood_from_one_sensor_does_not_reach_the_others() -> None:
    inbox = Inbox(repeat_s=30)
    taken = sum(inbox.offer(said(number, number / 1000)) for number in range(1000))
    assert taken <= BURST + PER_S + 1
    assert inbox.offer(said(1, 1.0, mac="A4:C1:38:00:27:62"))


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 2)), max_size=300))
def test_what_waits_is_bounded_whatever_is_sent(flood: list[tuple[int, float]]) -> None:
    inbox, time_s = Inbox(repeat_s=30), 0.0
    for number, (sender, later_s) in enumerate(flood):
        time_s += later_s
        inbox.offer(said(number, time_s, mac=f"00:00:00:00:00:{sender:02X}"))
    assert inbox.waiting <= LONGEST


async def test_the_oldest_is_taken_first_and_emptiness_is_waited_out() -> None:
    inbox = Inbox(repeat_s=30)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(inbox.take(), name="take")
        await asyncio.sleep(0)
        inbox.offer(said(1, 0))
        inbox.offer(said(2, 0))
    assert first.result() == said(1, 0)
    assert await inbox.take() == said(2, 0)
