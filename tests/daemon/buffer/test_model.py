"""The store against a model of sixty lines: every operation, and crashes between them.

The model knows what was accepted, what is committed, and what the cloud answered. A crash keeps
what was committed and forgets the rest; nothing else may differ.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent.cloud import Batch, Limits, Receipt, Record
from agent.daemon.buffer import Buffer, Lane
from agent.daemon.buffer.opening import Build
from agent.sample import Sample, Value
from tests.daemon.buffer.parts import SITE, HandClock, made
from tests.lab.crashes import MEMORY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

T = TypeVar("T")
NAMES = ("a", "b")
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
)
SAMPLES = st.tuples(
    st.sampled_from(["meter", "pump"]),
    st.dictionaries(st.sampled_from(["p", "q", "r", "s"]), VALUES, min_size=1),
    st.booleans(),
)
LIMITS = st.builds(Limits, records=st.integers(1, 9), readings=st.integers(1, 20))


class Store(RuleBasedStateMachine):
    """What the buffer is held against, and the buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.loop = asyncio.new_event_loop()
        self.clock = HandClock()
        self.life = 0
        self.accepted: list[tuple[str, dict[str, Value]]] = []  # in order of their numbers
        self.committed = 0
        self.answered: dict[str, set[int]] = {name: set() for name in NAMES}
        self.saved: dict[str, set[int]] = {name: set() for name in NAMES}
        self.names: dict[tuple[str, int], int] = {}
        self.buffer = self._open()

    def teardown(self) -> None:
        self._do(self.buffer.close())
        self.loop.close()
        shutil.rmtree(self.room)

    @rule(samples=st.lists(SAMPLES, min_size=1, max_size=6))
    def append(self, samples: list[tuple[str, dict[str, Value], bool]]) -> None:
        for device, values, urgent in samples:
            self.clock.tick(0.5)
            self.accepted.append((device, values))
            self._do(self.buffer.put(Sample(device, self.clock.now(), values, urgent=urgent)))
            if urgent:
                self._all_committed()

    @rule()
    def commit(self) -> None:
        self._do(self.buffer.flush())
        self._all_committed()

    @rule(name=st.sampled_from(NAMES), lane=st.sampled_from(Lane), limits=LIMITS, data=st.data())
    def deliver(self, name: str, lane: Lane, limits: Limits, data: st.DataObject) -> None:
        batch = self._taken(name, limits, lane)
        if batch is None:
            assert lane is not Lane.ANY or not self._waiting(name)
            return
        numbers = [self._number(name, record) for record in batch.records]
        fates = data.draw(st.lists(st.integers(0, 2), min_size=len(numbers), max_size=len(numbers)))
        accepted = [i for i, fate in enumerate(fates) if fate == 0]
        refused = {i: "no" for i, fate in enumerate(fates) if fate == 1}
        self._do(self.buffer.outbox(name).settle(Batch(batch.records), Receipt(accepted, refused)))
        self.answered[name] |= {numbers[i] for i in (*accepted, *refused)}

    @rule(name=st.sampled_from(NAMES))
    def mark_live(self, name: str) -> None:
        self.buffer.outbox(name).mark_live()

    @rule(seconds=st.sampled_from([1, 11, 61, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.clock.tick(seconds)

    @rule(jump=st.sampled_from([-400 * 86_400, -3600, 7200, 20 * 365 * 86_400]))
    def the_wall_clock_jumps(self, jump: int) -> None:
        self.clock.wall_ns += jump * 10**9

    @rule()
    def trust_comes_and_goes(self) -> None:
        self.clock.trusted = not self.clock.trusted

    @rule(reboot=st.booleans())
    def stop_and_start(self, *, reboot: bool) -> None:
        self._do(self.buffer.close())
        self._all_committed()
        self.saved = {name: set(known) for name, known in self.answered.items()}
        self._restart(reboot=reboot)

    @rule(reboot=st.booleans())
    def crash(self, *, reboot: bool) -> None:
        """The process is gone; the files stay as they are."""
        copy = self.room / f"life {self.life + 1}"
        shutil.copytree(self.room / f"life {self.life}", copy)
        self.loop.run_until_complete(self.buffer.close())  # what it commits now is not in the copy
        shutil.rmtree(self.room / f"life {self.life}")
        self.life += 1
        del self.accepted[self.committed :]
        self._restart(reboot=reboot)
        for name in NAMES:  # receipts that were not saved are forgotten, no others
            left = set(range(1, self.committed + 1)) - self._held(name)
            assert self.saved[name] <= left <= self.answered[name]
            self.answered[name] = left

    @precondition(lambda self: self.committed)
    @rule()
    def everything_is_delivered(self) -> None:
        for name in NAMES:
            while batch := self._taken(name, Limits(), Lane.ANY):
                self.answered[name] |= {self._number(name, record) for record in batch.records}
                receipt = Receipt(range(len(batch.records)))
                self._do(self.buffer.outbox(name).settle(batch, receipt))
            assert not self._waiting(name)

    @invariant()
    def the_sums_agree(self) -> None:
        for name in NAMES:
            facts = self.buffer.facts().destinations[name]
            assert facts.accepted == facts.delivered + facts.rejected + facts.lost + facts.waiting
            assert facts.lost == 0
            assert self.buffer.outbox(name).waiting().samples == len(self._waiting(name))

    def _taken(self, name: str, limits: Limits, lane: Lane) -> Batch | None:
        """What a lane has; a step of the clock holds it back until the next commit."""
        batch = self._do(self.buffer.outbox(name).take(limits, lane))
        if batch is None:
            self.commit()
            batch = self._do(self.buffer.outbox(name).take(limits, lane))
        return batch

    def _number(self, name: str, record: Record) -> int:
        """A record is what was accepted under its number, the same for ever."""
        number = self.names.setdefault((record.epoch, record.seq), record.seq)
        device, values = self.accepted[number - 1]
        assert (record.device, dict(record.values)) == (device, values)
        assert number <= self.committed
        assert number not in self.answered[name]
        return number

    def _waiting(self, name: str) -> set[int]:
        return set(range(1, self.committed + 1)) - self.answered[name]

    def _held(self, name: str) -> set[int]:
        batch = self._taken(name, Limits(10**9, 10**9), Lane.ANY)
        return {record.seq for record in batch.records} if batch else set()

    def _all_committed(self) -> None:
        self.committed = len(self.accepted)

    def _restart(self, *, reboot: bool) -> None:
        if reboot:
            self.clock.reboot(f"boot-{self.clock.mono_ns}")
        self.clock.tick(5)
        del self.buffer
        self.buffer = self._open()

    def _open(self) -> Buffer:
        folder = self.room / f"life {self.life}"
        site = SITE.__class__("Barn", "barn-1", "UTC", 64 << 20, 3600.0)
        buffer = Buffer(folder, site, self.clock, NAMES, Build(made))
        self._do(buffer.open())
        return buffer

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        result = self.loop.run_until_complete(work)
        if hasattr(self, "buffer"):  # a commit may have come by itself; what it claims has to hold
            claimed = self.buffer.facts().destinations[NAMES[0]].accepted_samples
            self.committed = max(self.committed, claimed)
        return result


Store.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestStoreAgainstItsModel = Store.TestCase
