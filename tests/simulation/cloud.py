"""A destination that records everything, answers as the weather will have it, and never forgets."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from agent.cloud import (
    Batch,
    BatchRefused,
    BatchTooLarge,
    Limits,
    Misconfigured,
    Receipt,
    Record,
    Unauthorized,
    Unreachable,
)
from tests.simulation.ledger import Key

POISON = "poison"
Identity = tuple[str, int]


class Mood(StrEnum):
    """How it answers."""

    WELL = "well"
    OUT = "out"  # refuses connections
    SILENT = "silent"  # takes the request and says nothing
    FORGETFUL = "answer lost"  # stores it, and the answer is lost
    PARTLY = "partly"  # takes some of it, names nothing of the rest
    PORTAL = "portal"  # answers without naming a record
    NARROW = "narrow"  # too large beyond a few records
    SHUT = "401"
    MOVED = "404"
    BUSY = "429"
    FLAKY = "flaky"  # any of these from one request to the next


ANY = [m for m in Mood if m not in (Mood.FLAKY, Mood.SHUT, Mood.MOVED)]
RETRY_AFTER = (1.0, 30.0, 300.0, 3000.0, 0.0, -5.0, 3.2e8)  # seconds; some are nonsense
NARROW_RECORDS = 3
DEADLINE_S = 30.0  # after which a destination gives up waiting for an answer


class Judge(Protocol):
    """Who looks at what reaches a destination."""

    def told(self, cloud: "SimCloud", records: Sequence[Record]) -> None:
        """A request reached it."""
        ...

    def acknowledged(self, cloud: "SimCloud", record: Record) -> None:
        """It said that it has this."""
        ...


@dataclass(slots=True)
class SimCloud:
    """What the outside world is to one destination.

    Attributes:
        judges: told of every request before it is answered, and of everything it said it has.
        stored: everything it ever took in, by identity.
        refused: what it judged, with its words.
    """

    name: str
    limits: Limits
    dice: random.Random
    judges: Sequence["Judge"]
    mood: Mood = Mood.WELL
    stored: dict[Identity, Record] = field(default_factory=dict)
    acked: dict[Key, int] = field(default_factory=dict)
    refused: dict[Key, str] = field(default_factory=dict)
    requests: int = 0
    longest_wish_s: float = 0.0

    async def answer(self, batch: Batch) -> Receipt:
        """One request, to its end."""
        self.requests += 1
        for judge in self.judges:
            judge.told(self, batch.records)
        mood = self.dice.choice(ANY) if self.mood is Mood.FLAKY else self.mood
        await asyncio.sleep(DEADLINE_S if mood is Mood.SILENT else self.dice.uniform(0.02, 0.8))
        self._fail(mood, batch)
        receipt = self._receipt(mood, batch)
        for index in receipt.accepted:
            self._keep(batch.records[index])
        if mood is Mood.FORGETFUL:
            message = "the answer was lost"
            raise Unreachable(message)
        for index in receipt.accepted:
            record = batch.records[index]
            self.acked[key_of(record)] = len(record.values)
            for judge in self.judges:
                judge.acknowledged(self, record)
        return receipt

    def _fail(self, mood: Mood, batch: Batch) -> None:
        if mood in (Mood.OUT, Mood.SILENT):
            message = f"nobody answers ({mood})"
            raise Unreachable(message)
        if mood is Mood.SHUT:
            message = "the key is not accepted"
            raise Unauthorized(message)
        if mood is Mood.MOVED:
            message = "there is nothing at this address"
            raise Misconfigured(message)
        if mood is Mood.BUSY:
            wish_s = self.dice.choice(RETRY_AFTER)
            self.longest_wish_s = max(self.longest_wish_s, wish_s)
            message = "too many requests"
            raise Unreachable(message, retry_after_s=wish_s)
        if mood is Mood.NARROW and len(batch.records) > NARROW_RECORDS:
            message = "too large"
            raise BatchTooLarge(message)

    def _receipt(self, mood: Mood, batch: Batch) -> Receipt:
        if mood is Mood.PORTAL:
            return Receipt()
        poison = [n for n, record in enumerate(batch.records) if POISON in record.values]
        whole = list(range(len(batch.records)))
        if mood is Mood.PARTLY:
            whole = [index for index in whole if self.dice.random() < 0.6]
            poison = [index for index in poison if index in whole]
        elif poison and self.dice.random() < 0.5:
            self._refuse(batch, poison if len(batch.records) == 1 else [])
            message = "this batch is not acceptable"
            raise BatchRefused(message)
        self._refuse(batch, poison)
        good = [index for index in whole if index not in poison]
        return Receipt(good, dict.fromkeys(poison, "poison"))

    def _refuse(self, batch: Batch, indices: list[int]) -> None:
        for index in indices:
            self.refused[key_of(batch.records[index])] = "poison"

    def _keep(self, record: Record) -> None:
        self.stored.setdefault((record.epoch, record.seq), record)


def key_of(record: Record) -> Key:
    """Which served sample this claims to be."""
    count = record.values.get("n")
    return record.device, count if type(count) is int else -1


@dataclass(slots=True)
class Line:
    """`agent.cloud.Cloud` of one process life: nothing is sent once that is over."""

    cloud: SimCloud
    alive: Callable[[], bool]

    @property
    def limits(self) -> Limits:
        return self.cloud.limits

    async def send(self, batch: Batch) -> Receipt:
        if not self.alive():
            raise asyncio.CancelledError
        return await self.cloud.answer(batch)

    async def aclose(self) -> None:
        """Nothing to let go of."""
