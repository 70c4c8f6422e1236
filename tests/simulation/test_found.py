"""What chance has found once, written down: each of these was a bug of the agent."""

import pytest

from tests.simulation.cloud import Mood
from tests.simulation.events import (
    TWENTY_YEARS_NS,
    blow,
    card_breaks,
    card_errs,
    clock,
    cloud,
    lived,
    urgent,
)
from tests.simulation.weather import Blow

pytestmark = pytest.mark.timeout(300)

SINCE_1970_NS = 1_800_000_000_000_000_000


def test_a_disk_that_errs_while_it_takes_back_what_ram_held_gives_no_name_twice() -> None:
    events = [(600.0, card_breaks), (900.0, card_errs(0.6)), (8000.0, card_errs(0.0))]
    assert lived(events) == []


def test_a_boot_without_the_time_of_day_is_no_reason_for_the_watchdog() -> None:
    events = [(600.0, clock(-SINCE_1970_NS, vouched=False)), (600.0, blow(Blow.CUT))]
    assert lived([*events, (20_000.0, clock(0))]) == []


def test_nor_is_a_card_that_fails_meanwhile() -> None:
    events = [(600.0, clock(-SINCE_1970_NS, vouched=False)), (600.0, blow(Blow.CUT))]
    events += [(6000.0, card_breaks), (9000.0, card_errs(0.0)), (20_000.0, clock(0))]
    assert lived(events) == []


def test_a_sample_from_the_future_that_one_destination_has_blocks_no_other() -> None:
    events = [(500.0, cloud("platform", Mood.OUT)), (600.0, clock(TWENTY_YEARS_NS))]
    assert lived([*events, (900.0, clock(0)), (2000.0, cloud("platform", Mood.WELL))]) == []


@pytest.mark.parametrize("kind", [Blow.KILL, Blow.CUT])
def test_nor_does_one_of_a_boot_that_ended_in_the_future(kind: Blow) -> None:
    events = [(500.0, cloud("platform", Mood.OUT)), (500.0, cloud("deduplicates", Mood.OUT))]
    events += [(600.0, clock(TWENTY_YEARS_NS)), (900.0, clock(0)), (900.0, blow(kind))]
    assert lived(events) == []


def test_an_alarm_that_was_being_written_when_the_card_broke_still_goes_first() -> None:
    events = [(400.0, urgent(0.0)), (500.0, cloud("platform", Mood.OUT))]
    events += [(8000.0, urgent(1.0)), (8000.0, card_breaks), (8100.0, urgent(0.0))]
    assert lived([*events, (8300.0, cloud("platform", Mood.WELL)), (8310.0, card_errs(0.0))]) == []


def test_an_alarm_on_a_card_that_broke_afterwards_goes_before_what_came_later() -> None:
    events = [(400.0, cloud("platform", Mood.OUT)), (400.0, cloud("deduplicates", Mood.OUT))]
    events += [(400.0, urgent(1.0)), (1000.0, urgent(0.0)), (1600.0, card_breaks)]
    events += [(4000.0, cloud("deduplicates", Mood.WELL)), (4000.0, cloud("platform", Mood.WELL))]
    assert lived([*events, (8000.0, card_errs(0.0))]) == []
