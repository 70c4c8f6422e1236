"""Who gets the line, when, and what a silent unit may cost: the pure parts, on our own clock."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.agenda import Agenda
from drivers.modbus.breaker import (
    LATE_S,
    LONGEST_PAUSE_S,
    SAVED_S,
    SHARE,
    TRIES,
    Breaker,
    Budget,
)
from drivers.modbus.tally import Tally, share
from drivers.modbus.turns import Turns


def test_everything_is_due_at_once_and_then_in_phase() -> None:
    agenda = Agenda([[1000, 10_000]], 12_345)
    assert agenda.take(12_345).every_ms == {1000, 10_000}
    assert agenda.next_ms() == 13_000
    seen = []
    while (at := agenda.next_ms()) is not None and at <= 20_000:
        seen.append((at, sorted(agenda.take(at).every_ms)))
    assert seen[:2] == [(13_000, [1000]), (14_000, [1000])]
    assert seen[-1] == (20_000, [1000, 10_000])


def test_what_comes_an_interval_late_is_skipped_and_counted_never_queued() -> None:
    agenda = Agenda([[1000]], 0)
    agenda.take(0)
    late = agenda.take(4_700)  # due at 1000
    assert late.skipped == 3
    assert agenda.next_ms() == 5_000


def test_a_sleep_of_ten_minutes_is_one_poll_and_no_burst() -> None:
    agenda = Agenda([[1000], [1000]], 0)
    for _ in range(2):
        agenda.take(0)
    assert sum(agenda.take(600_500).skipped for _ in range(2)) == 2 * 599
    assert agenda.next_ms() == 601_000


@given(st.lists(st.integers(10, 5000), min_size=1, max_size=6), st.integers(1, 400))
def test_no_poll_is_lost_or_doubled_while_the_line_keeps_up(every: list[int], polls: int) -> None:
    agenda = Agenda([[each] for each in every], 0)
    last: dict[int, int] = {}
    for _ in range(polls):
        at = agenda.next_ms()
        assert at is not None
        due = agenda.take(at)
        assert due.skipped == 0
        if last.get(due.unit):
            assert at - last[due.unit] == every[due.unit]
        last[due.unit] = at


def test_a_unit_is_silent_after_three_tries_and_then_asked_less_and_less() -> None:
    breaker, now = Breaker(), 100.0
    for _ in range(TRIES - 1):
        assert not breaker.silent(now, 0.6)
        assert breaker.ready_s == pytest.approx(now + LATE_S - 0.6)  # a late answer may still come
        now += 1
    assert breaker.silent(now, 0.6)
    pauses = []
    for _ in range(10):
        pauses.append(breaker.ready_s - now)
        now = breaker.ready_s
        assert breaker.silent(now, 0.6)
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses[-1] == LONGEST_PAUSE_S


def test_an_answer_closes_the_breaker() -> None:
    breaker = Breaker()
    for _ in range(TRIES):
        breaker.silent(0.0, 0.1)
    assert breaker.answered()
    assert breaker == Breaker()
    assert not breaker.answered()


@given(st.lists(st.floats(0.01, 2.0), min_size=1, max_size=200))
def test_silent_units_never_use_more_than_their_share(costs: list[float]) -> None:
    budget, now, spent = Budget(), 1000.0, 0.0
    budget.allows(now)
    for cost in costs:
        now = budget.enough_at(now) + 0.001
        if budget.allows(now):
            budget.spend(now, cost)
            spent += cost
            now += cost
    assert spent <= SAVED_S + max(costs) + SHARE * (now - 1000.0)


async def test_a_person_goes_before_the_schedule_but_never_twice_in_a_row() -> None:
    turns, order = Turns(), []

    async def use(name: str, *, first: bool) -> None:
        await turns.take(first=first)
        order.append(name)
        await asyncio.sleep(0)
        turns.give()

    async with asyncio.TaskGroup() as group:
        for name in ("a", "b", "c"):
            group.create_task(use(name, first=False), name=name)
        for name in ("P", "Q"):
            group.create_task(use(name, first=True), name=name)
    assert order == ["a", "P", "b", "Q", "c"]


async def test_a_turn_given_to_somebody_who_left_is_not_lost() -> None:
    turns = Turns()
    assert turns.take_at_once()
    async with asyncio.TaskGroup() as group:
        leaving = group.create_task(turns.take(first=False), name="leaving")
        staying = group.create_task(turns.take(first=False), name="staying")
        await asyncio.sleep(0)
        turns.give()
        leaving.cancel()
        await staying
    turns.give()
    assert turns.take_at_once()


def test_damage_is_counted_over_the_last_hour() -> None:
    tally = Tally()
    for minute in range(180):
        tally.add(minute * 60.0, damaged=minute < 120 and minute % 2 == 0)
    all_, bad = tally.counts(180 * 60.0)
    assert 55 <= all_ <= 65
    assert bad == 0
    assert share((0, 0)) == 0
    assert share((4, 1)) == 0.25
