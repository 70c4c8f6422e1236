"""The reckoning notices every way in which a sample can go astray."""

import pytest

from agent.demo.account import DeviceCount, Held, Life, Summary, Told, reckon

LIFE = Life(100.0, 160.0)


def held(seq: int, at: float, device: str = "meter", readings: int = 4) -> Held:
    return Held(device, ("epoch", seq), at, readings)


def test_everything_arrived_once() -> None:
    records = [held(n, 100.1 + n) for n in range(5)]
    said = {"meter": [100.05 + n for n in range(5)]}
    summary = reckon(said, records, Told(accepted=20), [LIFE])
    assert (summary.delivered, summary.duplicates, summary.missing) == (20, 0, 0)
    assert summary.devices["meter"].missing == 0
    assert summary.readings_per_s == pytest.approx(20 / 60, abs=0.1)


def test_a_repeated_record_is_a_duplicate_and_counts_once() -> None:
    records = [held(0, 100.1), held(0, 100.1), held(1, 101.1)]
    summary = reckon({}, records, Told(accepted=8), [LIFE])
    assert (summary.delivered, summary.duplicates, summary.missing) == (8, 4, 0)


def test_what_the_daemon_accepted_and_nobody_holds_is_missing() -> None:
    records = [held(0, 100.1)]
    summary = reckon({}, records, Told(accepted=8), [LIFE])
    assert summary.missing == 4


def test_what_stands_in_the_ledger_is_lost_and_not_missing() -> None:
    records = [held(0, 100.1)]
    summary = reckon({}, records, Told(accepted=8, lost=4), [LIFE])
    assert (summary.missing, summary.counted_lost) == (0, 4)


def test_a_sample_that_was_said_and_never_accepted_is_missing() -> None:
    records = [held(n, 100.1 + n) for n in (0, 1, 3)]
    said = {"meter": [100.05 + n for n in range(4)]}
    summary = reckon(said, records, Told(accepted=12), [LIFE])
    assert summary.devices["meter"].missing == 1
    assert summary.missing == 1


def test_a_device_that_never_arrived_is_missing_altogether() -> None:
    said = {"meter": [101.0, 102.0], "mute": [101.0, 102.0, 103.0]}
    records = [held(0, 101.1), held(1, 102.1)]
    summary = reckon(said, records, Told(accepted=8), [LIFE])
    assert summary.devices["mute"].missing == 3
    assert summary.missing == 3


def test_nobody_listens_between_two_lives() -> None:
    lives = [Life(100.0, 110.0), Life(120.0, 130.0)]
    said = {"meter": [105.0, 115.0, 125.0]}
    records = [held(0, 105.1), held(1, 125.1)]
    summary = reckon(said, records, Told(accepted=8), lives)
    assert summary.devices["meter"].produced == 2
    assert summary.missing == 0


def killed_once(records: list[Held], at_most: int) -> Summary:
    said = {"meter": [100.05 + n for n in range(10)]}
    lives = [Life(100.0, 106.5, killed=True), Life(107.0, 120.0)]
    told = Told(accepted=sum(record.readings for record in records), at_most=at_most)
    return reckon(said, records, told, lives)


def test_what_a_kill_cut_off_is_the_ledgers_business() -> None:
    records = [held(n, 100.1 + n) for n in range(10) if n not in {5, 6}]
    summary = killed_once(records, at_most=8)
    assert summary.devices["meter"] == DeviceCount(produced=10, held=8, cut=2)
    assert (summary.missing, summary.counted_lost) == (0, 8)


def test_a_kill_that_cost_more_than_the_ledger_admits_is_noticed() -> None:
    records = [held(n, 100.1 + n) for n in range(10) if n not in {5, 6}]
    assert killed_once(records, at_most=4).missing == 4


def test_a_sample_lost_long_before_a_kill_is_not_excused_by_it() -> None:
    records = [held(n, 100.1 + n) for n in range(10) if n != 2]
    summary = killed_once(records, at_most=100)
    assert summary.devices["meter"].cut == 0
    assert summary.missing == 1


def test_a_sample_lost_after_a_kill_is_not_excused_by_it() -> None:
    records = [held(n, 100.1 + n) for n in range(10) if n != 8]
    assert killed_once(records, at_most=100).missing == 1
