"""Judge thousands of crash states on all cores, and say what was seen first."""

import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.lab.crashes import Disk, Op, Share, State, record, scratch, states
from tests.lab.plant import Told, judge

WORKERS = max(2, min(4, os.cpu_count() or 2))
WRITER = (sys.executable, "-m", "tests.lab.plant")


@dataclass(slots=True)
class Findings:
    """Verdicts by their first word, where each wording was seen first, and the distinct states."""

    verdicts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    prints: set[bytes] = field(default_factory=set)
    sample: list[State] = field(default_factory=list)

    def add(self, state: State, verdict: str) -> None:
        self.prints.add(state.print)
        self.verdicts[verdict.split(maxsplit=1)[0]] += 1
        if verdict != "ok":
            self.first.setdefault(verdict, state.where)

    def join(self, other: "Findings") -> None:
        self.verdicts += other.verdicts
        self.prints |= other.prints
        self.sample += other.sample
        for verdict, where in other.first.items():
            self.first.setdefault(verdict, where)

    @property
    def bad(self) -> int:
        return sum(count for word, count in self.verdicts.items() if word != "ok")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to draw from a recorded run.

    Attributes:
        kept: every so many states are handed back, to be cut again.
    """

    ops: Sequence[Op]
    seed: int
    per_step: int
    lying: bool = False
    start: State | None = None
    kept: int = 0


def written(folder: Path, *options: str) -> list[Op]:
    """A recorded run of the product's buffer in a folder."""
    return record(folder, [*WRITER, str(folder), *options])


def recorded(*options: str) -> list[Op]:
    """A recorded run in an empty folder."""
    with scratch() as folder:
        return written(folder, *options)


def again(state: State, *options: str) -> list[Op]:
    """A recorded run that begins with what a cut left."""
    with state.on_disk() as folder:
        return written(folder, *options)


def explored(plan: Plan) -> Findings:
    """Judge the states of one plan on all cores."""
    findings = Findings()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
        for part in pool.map(partial(_judged, plan), range(WORKERS)):
            findings.join(part)
    return findings


def judged(plans: Sequence[Plan]) -> Findings:
    """Judge the states of many small plans on all cores."""
    findings = Findings()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
        for part in pool.map(_judged_whole, plans):
            findings.join(part)
    return findings


def _judged_whole(plan: Plan) -> Findings:
    return _judged(plan, 0, 1)


def _judged(plan: Plan, worker: int, workers: int = WORKERS) -> Findings:
    findings = Findings()
    disk = _disk(plan)
    drawn = states(plan.ops, disk, plan.seed, plan.per_step, Share(worker, workers))
    for number, state in enumerate(drawn):
        said = (*(plan.start.said if plan.start else ()), *state.said)
        with state.on_disk() as folder:
            findings.add(state, judge(folder, Told.of(said)))
        if plan.kept and number % plan.kept == 0:
            findings.sample.append(State(state.files, said, state.where))
    return findings


def _disk(plan: Plan) -> Disk:
    disk = Disk(lying=plan.lying)
    if plan.start is not None:
        disk.hold(plan.start.files)
    return disk
