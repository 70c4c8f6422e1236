"""In-memory twins of the rooms around the uplink and the supervisor."""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from agent.cloud import Batch, Limits, Receipt, Record
from agent.daemon.buffer import Lane, Waiting
from agent.driver import ConnectionState
from agent.errors import FieldpostError

Answer = Receipt | Exception | Callable[[Batch], Receipt]


def record(seq: int, **values: float) -> Record:
    return Record("e1", seq, "meter", 1_790_000_000_000_000_000 + seq, values or {"power": 1.0})


def batch(*seqs: int) -> Batch:
    return Batch([record(seq) for seq in seqs])


class ScriptedCloud:
    """Answers from a script, then accepts everything; keeps every request."""

    def __init__(self, *answers: Answer, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.answers = deque(answers)
        self.requests: list[list[int]] = []
        self.delivered: list[int] = []
        self.closed = False

    async def send(self, batch: Batch) -> Receipt:
        self.requests.append([r.seq for r in batch.records])
        answer = self.answers.popleft() if self.answers else Receipt(range(len(batch.records)))
        if isinstance(answer, Exception):
            raise answer
        receipt = answer(batch) if callable(answer) else answer
        self.delivered += [batch.records[i].seq for i in receipt.accepted]
        return receipt

    async def aclose(self) -> None:
        self.closed = True


class ListOutbox:
    """The buffer's outbox as a dictionary of unsettled records."""

    def __init__(self, records: Sequence[Record] = ()) -> None:
        self.held = {r.seq: r for r in records}
        self.urgent_seqs: set[int] = set()
        self.refused: dict[int, str] = {}
        self.live_from = 0
        self.held_back = False
        self.acknowledged: list[Record] = []
        self._changed = asyncio.Event()
        self._urgent = asyncio.Event()

    def add(self, *records: Record, urgent: bool = False) -> None:
        for item in records:
            self.held[item.seq] = item
            if urgent:
                self.urgent_seqs.add(item.seq)
                self._urgent.set()
        self._changed.set()

    def waiting(self) -> Waiting:
        readings = sum(len(r.values) for r in self.held.values())
        oldest = min((r.time_ns for r in self.held.values()), default=None)
        urgent = len(self.urgent_seqs & set(self.held))
        return Waiting(len(self.held), readings, 100 * len(self.held), oldest, urgent=urgent)

    async def wait(self) -> None:
        while not self.held or self.held_back:
            await self._changed.wait()
            self._changed.clear()
            if self.held:
                return

    async def urgent(self) -> None:
        await self._urgent.wait()
        self._urgent.clear()

    async def take(self, limits: Limits, lane: Lane) -> Batch | None:
        chosen = [r for s, r in sorted(self.held.items()) if self._lane(s) is lane]
        if self.held_back:
            return None
        readings = list(accumulate(len(r.values) for r in chosen))
        fit = max(1, bisect_right(readings, limits.readings))
        return Batch(chosen[: min(fit, limits.records)]) if chosen else None

    def _lane(self, seq: int) -> Lane:
        if seq in self.urgent_seqs:
            return Lane.URGENT
        return Lane.LIVE if seq >= self.live_from else Lane.BACKLOG

    async def settle(self, batch: Batch, receipt: Receipt) -> int:
        repeated = 0
        for index in receipt.accepted:
            done = batch.records[index]
            del self.held[done.seq]
            repeated += len(done.values) if done in self.acknowledged else 0
            self.acknowledged.append(done)
        for index, reason in receipt.refused.items():
            self.refused[batch.records[index].seq] = reason
            del self.held[batch.records[index].seq]
        return repeated

    def resend(self) -> bool:
        self.add(*self.acknowledged)
        return bool(self.acknowledged)

    def mark_live(self) -> None:
        self.live_from = max(self.held, default=0) + 1


@dataclass
class Reported:
    """What health was told."""

    delivered_readings: int = 0
    refused_reasons: list[str] = field(default_factory=list)
    failures: list[tuple[str, float | None]] = field(default_factory=list)
    beats: list[FieldpostError | None] = field(default_factory=list)
    doubts: int = 0
    states: list[tuple[ConnectionState, str | None]] = field(default_factory=list)

    def delivered(self, destination: str, readings: int, partly: int = 0) -> None:
        del destination, partly
        self.delivered_readings += readings

    def refused(self, destination: str, readings: int, reason: str) -> None:
        del destination, readings
        self.refused_reasons.append(reason)

    def destination_failed(
        self, destination: str, error: FieldpostError, next_try_s: float | None
    ) -> None:
        del destination
        self.failures.append((error.message, next_try_s))

    def surpassed(self, destination: str) -> None:
        del destination
        self.doubts += 1

    def beat(self, destination: str, error: FieldpostError | None) -> None:
        del destination
        self.beats.append(error)

    def connection_changed(
        self, name: str, state: ConnectionState, message: str | None, action: str | None
    ) -> None:
        del name, action
        self.states.append((state, message))
