"""Faults 13, 15 and 16: the N-th write, sync, read or truncate below the store fails.

What was claimed as committed is there afterwards, nothing is invented, and the program itself goes
on collecting, in RAM where it must.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.lab.crashes import scratch, watched
from tests.lab.plant import judge
from tests.lab.running import ran

AT = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144)  # dense where a store is opened
ONCE = [
    ("write", "EIO"),
    ("write", "ENOSPC"),
    ("sync", "EIO"),
    ("read", "EIO"),
    ("truncate", "EIO"),
]
EVER = [("write", "EIO"), ("write", "EROFS"), ("write", "ENOSPC"), ("sync", "EIO")]


def injured(plan: str, build: str = "sound", restarts: int = 0) -> str:
    """What is wrong after a run in which a call failed."""
    with scratch() as room:
        folder, exile = room / "store", room / "runtime"
        folder.mkdir()
        exile.mkdir()
        shim = watched(folder, Path(os.devnull), plan) | {"RUNTIME_DIRECTORY": str(exile)}
        options = ("--steps", "20", "--build", build, "--restarts", str(restarts))
        code, told, said = ran(folder, *options, env=shim)
        if code:
            return f"ended with {code}: {said[-300:]}"
        verdict = judge(folder, told)
        return "" if verdict == "ok" else f"{verdict} ({plan})"


def all_of(plans: Iterator[str], build: str = "sound", restarts: int = 0) -> list[str]:
    one = partial(injured, build=build, restarts=restarts)
    with ThreadPoolExecutor(2) as pool:
        return [wrong for wrong in pool.map(one, plans) if wrong]


def lost(found: list[str]) -> list[str]:
    """Without what a read that failed may cost: an epoch too many, and no sample."""
    return [wrong for wrong in found if not wrong.startswith("a new epoch")]


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.parametrize(("call", "error"), ONCE)
def test_one_failing_call_loses_nothing(call: str, error: str) -> None:
    found = all_of(f"{call} {n} {error} once" for n in AT)
    assert (lost(found) if call == "read" else found) == []


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.parametrize(("call", "error"), EVER)
def test_a_disk_that_refuses_for_ever_keeps_what_it_had(call: str, error: str) -> None:
    assert all_of(f"{call} {n} {error} ever" for n in AT) == []


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_a_page_that_could_not_be_read_once_is_no_reason_to_put_a_store_aside() -> None:
    """SQLite calls a database malformed when a read of it fails while it is opened."""
    found = all_of((f"read {n} EIO once" for n in range(57, 97, 4)), restarts=2)
    assert lost(found) == []


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_store_that_speaks_too_early_is_caught() -> None:
    assert all_of((f"sync {n} EIO ever" for n in AT[4:]), "early") != []
