"""Fault 18, and then the power goes: what was in RAM only is lost, and the ledger says how much."""

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from agent.daemon.buffer import Buffer
from agent.daemon.buffer.model import Opened
from agent.daemon.buffer.noting import exile_of
from agent.daemon.buffer.opening import Build
from agent.daemon.buffer.orders import Done, Order
from agent.daemon.buffer.store import Store
from agent.daemon.buffer.trouble import BrokenError
from agent.sample import Instant
from tests.daemon.buffer.parts import HandClock, balanced, drain, made, opened, powers, put

HELD = 15  # samples a test has in RAM: more than the bound of an unclean stop alone


class Refusing(Store):
    """A store whose database takes nothing when a test says so; other files work."""

    refuses: ClassVar[bool] = False

    def _write(self, order: Order) -> Done:
        if Refusing.refuses:
            message = "disk I/O error"
            raise sqlite3.OperationalError(message)
        return super()._write(order)

    def _reopen(self) -> None:
        super()._reopen()
        if Refusing.refuses:
            message = "disk I/O error"
            raise BrokenError(message)


class Silent(Refusing):
    """A build that notes nothing: what was in RAM is counted as one window at most."""

    def commit(self, order: Order) -> Done:
        done = super().commit(order)
        self._care.note.erase()
        return done


@pytest.fixture(autouse=True)
def answering() -> Iterator[None]:
    Refusing.refuses = False
    yield
    Refusing.refuses = False


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def lost(buffer: Buffer) -> dict[str, int]:
    assert balanced(buffer)
    return dict(buffer.facts().destinations["cloud"].lost_by_reason)


async def in_ram(buffer: Buffer, clock: HandClock) -> None:
    """One sample on the card, `HELD` in RAM, over more than a minute."""
    await put(buffer, clock, 0)
    Refusing.refuses = True
    for number in range(HELD):
        await put(buffer, clock, number + 1)
        clock.tick(5)


async def cut_while_in_ram(home: Path, clock: HandClock, kind: type[Store]) -> dict[str, int]:
    """What the ledger has after the power went, and the disk came back with it."""
    async with opened(home / "run", clock, build=Build(made, store=kind)) as buffer:
        await in_ram(buffer, clock)
        shutil.copytree(home / "run", home / "cut")
    Refusing.refuses = False
    async with opened(home / "cut", clock) as buffer:
        assert powers(await drain(buffer.outbox("cloud"))) == [0]
        return lost(buffer)


@pytest.mark.parametrize("kind", [Refusing, Silent])
async def test_a_cut_while_samples_live_in_ram_is_entered_with_its_bound(
    tmp_path: Path, clock: HandClock, kind: type[Store]
) -> None:
    found = await cut_while_in_ram(tmp_path, clock, kind)
    if kind is Silent:
        assert sum(found.values()) < HELD
    else:
        assert HELD <= found["ram_lost"] <= HELD + 61
        assert "unclean_stop" not in found


async def test_it_is_said_once(tmp_path: Path, clock: HandClock) -> None:
    before = await cut_while_in_ram(tmp_path, clock, Refusing)
    for _ in range(2):
        async with opened(tmp_path / "cut", clock) as buffer:
            assert lost(buffer) == before


async def test_a_stop_while_the_disk_refuses_says_exactly_what_it_cost(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock, build=Build(made, store=Refusing)) as buffer:
        await in_ram(buffer, clock)
    Refusing.refuses = False
    async with opened(tmp_path, clock) as buffer:
        assert powers(await drain(buffer.outbox("cloud"))) == [0]
        assert lost(buffer) == {"ram_lost": HELD}


async def test_a_stop_asks_the_disk_once_more(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock, build=Build(made, store=Refusing)) as buffer:
        await put(buffer, clock, 0)
        Refusing.refuses = True
        await put(buffer, clock, 1)
        await put(buffer, clock, 2)
        Refusing.refuses = False  # and nobody has noticed yet
    async with opened(tmp_path, clock) as buffer:
        assert powers(await drain(buffer.outbox("cloud"))) == [0, 1, 2]
        assert lost(buffer) == {}


async def test_what_the_disk_took_back_is_not_lost(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path / "run", clock, build=Build(made, store=Refusing)) as buffer:
        await in_ram(buffer, clock)
        Refusing.refuses = False
        clock.tick(61)
        await put(buffer, clock, HELD + 1)
        shutil.copytree(tmp_path / "run", tmp_path / "cut")
    async with opened(tmp_path / "cut", clock) as buffer:
        assert powers(await drain(buffer.outbox("cloud"))) == [*range(HELD + 2)]
        assert set(lost(buffer)) == {"unclean_stop"}


class Gone(Store):
    """A store whose disk does not even open it when a test says so."""

    def open(self, now: Instant, destinations: Sequence[str]) -> Opened:
        if Refusing.refuses and self._file.parents[1].name == "run":
            message = "disk I/O error"
            raise sqlite3.OperationalError(message)
        return super().open(now, destinations)


async def cut_in_exile(home: Path, clock: HandClock) -> Path:
    """A home as it lay when the power went, while the whole store was in RAM."""
    build = Build(made, store=Gone)
    async with opened(home / "run", clock, build=build) as buffer:
        await put(buffer, clock, 0)
    Refusing.refuses = True
    async with opened(home / "run", clock, build=build) as buffer:
        assert buffer.facts().broken
        await put(buffer, clock, *range(1, HELD + 1))
        await buffer.look_after()
        shutil.copytree(home / "run", home / "cut")
        if exile := exile_of(home / "run"):
            shutil.copytree(exile, home / "ram")
    Refusing.refuses = False
    return home / "cut"


@pytest.mark.usefixtures("ram_for_exile")
async def test_a_whole_store_that_went_with_the_ram_is_entered_with_its_bound(
    tmp_path: Path, clock: HandClock
) -> None:
    async with opened(await cut_in_exile(tmp_path, clock), clock) as buffer:
        assert powers(await drain(buffer.outbox("cloud"))) == [0]
        assert HELD <= lost(buffer)["ram_lost"] <= HELD + 61


@pytest.mark.usefixtures("ram_for_exile")
async def test_a_store_in_ram_that_outlived_the_daemon_is_brought_in_and_not_counted(
    tmp_path: Path, clock: HandClock
) -> None:
    home = await cut_in_exile(tmp_path, clock)
    exile = exile_of(home)
    assert exile is not None
    shutil.copytree(tmp_path / "ram", exile)
    async with opened(home, clock) as buffer:
        await buffer.salvage()
        await drain(buffer.outbox("cloud"))
        assert buffer.facts().destinations["cloud"].delivered == HELD + 1
    async with opened(home, clock) as buffer:  # the next start does not count it either
        assert set(lost(buffer)) == {"unclean_stop"}
        assert lost(buffer)["unclean_stop"] <= 2 * HELD
