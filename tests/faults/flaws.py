"""Builds of the uplink and its destinations as other products have them: each must be caught."""

import asyncio
import itertools
from dataclasses import replace
from typing import Any

import httpx

from agent.cloud import (
    Batch,
    BatchRefused,
    Misconfigured,
    Overloaded,
    Receipt,
    Unauthorized,
    Unreachable,
)
from agent.cloud.http.answer import Answer
from agent.cloud.http.client import HttpClient, Post
from tests.faults.road import Build
from tests.simulation.flaws import (
    BlocksOnPoison,
    DropsAfterThree,
    MixesUpTwo,
    SettlesBeforeTheReceipt,
    SettlesWhole,
    SilenceIsConsent,
    _Line,
    _Through,
)

AT_ONCE = 5
TEN_YEARS_S = 3.2e8


class JudgesSilence(_Line):
    """Whatever goes wrong is the fault of the data."""

    async def send(self, batch: Batch) -> Receipt:
        try:
            return await super().send(batch)
        except (Unreachable, Unauthorized, Misconfigured) as error:
            raise BatchRefused(error.message) from error


class Hammers(_Line):
    """Asks again at once, many times, before it pauses."""

    async def send(self, batch: Batch) -> Receipt:
        for _ in range(AT_ONCE):
            try:
                return await super().send(batch)
            except (Unreachable, Unauthorized, Misconfigured):
                await asyncio.sleep(0)
        return await super().send(batch)


class HearsNoWish(_Line):
    """Retry-After is not looked at."""

    async def send(self, batch: Batch) -> Receipt:
        try:
            return await super().send(batch)
        except Unreachable as error:
            raise Unreachable(error.message) from error


class WaitsAsTold(_Line):
    """Retry-After is believed, however long."""

    async def send(self, batch: Batch) -> Receipt:
        try:
            return await super().send(batch)
        except Unreachable as error:
            await asyncio.sleep(error.retry_after_s or TEN_YEARS_S)
            raise


class NeverSmaller(_Line):
    """A wish for less is one for a pause."""

    async def send(self, batch: Batch) -> Receipt:
        try:
            return await super().send(batch)
        except Overloaded as error:
            raise Unreachable(error.message, retry_after_s=error.retry_after_s) from error


class Renames(_Line):
    """A repeated record gets a new number."""

    def __init__(self, sound: Any) -> None:
        super().__init__(sound)
        self._numbers = itertools.count(1)

    async def send(self, batch: Batch) -> Receipt:
        renamed = [replace(record, seq=next(self._numbers)) for record in batch.records]
        return await super().send(Batch(renamed))


class SetsAsideWhole(_Line):
    """A refused batch is not looked into."""

    async def send(self, batch: Batch) -> Receipt:
        try:
            return await super().send(batch)
        except BatchRefused as error:
            return Receipt(refused=dict.fromkeys(range(len(batch.records)), error.message))


class ForgetsRefused(_Through):
    """What was refused is thrown away."""

    async def settle(self, batch: Batch, receipt: Receipt) -> Any:
        return await self.sound.settle(batch, Receipt({*receipt.accepted, *receipt.refused}))


class LatestFirst(_Through):
    """The newest of a batch goes first."""

    async def take(self, *which: Any) -> Batch | None:
        batch = await self.sound.take(*which)
        return Batch(list(reversed(batch.records))) if batch else None


class NoLanes(_Through):
    """What comes after an outage waits behind all that came during it."""

    def mark_live(self) -> None:
        """Nothing is live."""


class Follows(HttpClient):
    """Goes wherever it is sent."""

    def _open(self) -> httpx.AsyncClient:
        client = super()._open()
        client.follow_redirects = True
        return client


class ReadsAll(HttpClient):
    """Reads and unpacks answers of any size."""

    async def _exchange(self, post: Post) -> Answer:
        answer = await self._open().request(
            post.method, self._url + post.path, content=post.body, headers=post.headers,
            timeout=None,
        )  # fmt: skip
        return Answer(answer.status_code, answer.headers.get("content-type", ""), answer.content)


class Patient(HttpClient):
    """Sets no TCP_USER_TIMEOUT."""

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(verify=self._tls)
        return self._client


SENT_IS_ENOUGH = Build("what was sent is delivered", SilenceIsConsent)
SETTLES_AT_ONCE = Build("settled before the receipt", outbox=SettlesBeforeTheReceipt)
SETTLES_WHOLE = Build("a part settles all", outbox=SettlesWhole)
DROPS = Build("dropped after three failures", DropsAfterThree)
JUDGES_SILENCE = Build("an outage is a judgement", JudgesSilence)
HAMMERS = Build("no pauses", Hammers)
HEARS_NO_WISH = Build("no Retry-After", HearsNoWish)
NEVER_SMALLER = Build("a wish for less is not heard", NeverSmaller)
WAITS_AS_TOLD = Build("any Retry-After", WaitsAsTold)
RENAMES = Build("new names for repeats", Renames)
MIXES_UP = Build("values under another name", MixesUpTwo)
BLOCKS = Build("poison blocks", BlocksOnPoison)
SETS_ASIDE_WHOLE = Build("set aside whole", SetsAsideWhole)
FORGETS_REFUSED = Build("refused and forgotten", outbox=ForgetsRefused)
LATEST_FIRST = Build("newest first", outbox=LatestFirst)
NO_LANES = Build("one lane for all", outbox=NoLanes)
ANY_2XX = Build("2xx is enough", http={"receipt": "status"})
FOLLOWS = Build("follows redirects", http={"made_of": Follows})
READS_ALL = Build("no cap on answers", http={"made_of": ReadsAll})
NO_DEADLINE = Build("no deadline", http={"deadline_s": 1e6})
