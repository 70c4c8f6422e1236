"""A culprit is found by proof, and an outage is never taken for one."""

from collections.abc import Set as AbstractSet

from hypothesis import given
from hypothesis import strategies as st

from agent.cloud.suspicion import Suspicion
from tests.cloud.records import record

TRIES_MAX = 2000


def search(count: int, poison: AbstractSet[int], *, up: bool = True) -> tuple[set[int], int]:
    """Numbers blamed, and requests made, until all others have passed."""
    suspicion, left, blamed = Suspicion(), list(range(count)), set[int]()
    for tries in range(TRIES_MAX):
        if not left:
            return blamed, tries
        first, end = suspicion.part(len(left))
        part = left[first:end]
        if up and not poison & set(part):
            suspicion.passed(whole=len(part) == len(left))
            left = left[:first] + left[end:]
        elif suspicion.failed(record(part[0] + 1), len(part), len(left)):
            blamed.add(part[0])
            left.remove(part[0])
    return blamed, TRIES_MAX


@given(st.integers(2, 300), st.data())
def test_one_culprit_is_found_wherever_it_stands(count: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, count - 1))
    blamed, tries = search(count, {at})
    assert blamed == {at}
    assert tries < 100


@given(st.sets(st.integers(0, 63), min_size=1, max_size=3))
def test_a_few_culprits_are_all_found_and_nobody_else(poison: set[int]) -> None:
    blamed, _ = search(64, poison)
    assert blamed == poison


def test_without_proof_nobody_is_blamed() -> None:
    blamed, tries = search(64, set(), up=False)
    assert blamed == set()
    assert tries == TRIES_MAX


def test_a_record_alone_blocks_the_way_for_an_hour_at_most() -> None:
    blamed, tries = search(1, {0})
    assert blamed == {0}
    assert 25 < tries < 40
