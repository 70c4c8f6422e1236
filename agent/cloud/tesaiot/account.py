"""One device of the platform as we may use it: its id, its credentials, its pace."""

import asyncio
from dataclasses import dataclass, field

import orjson

from agent.clock import Clock
from agent.cloud import Record
from agent.cloud.http.answer import Answer
from agent.cloud.http.client import HttpClient, Post
from agent.cloud.tesaiot.answers import healthy
from agent.cloud.tesaiot.encode import encoded
from agent.plan import Json

INTERVAL_S = 0.5  # the platform's 20 requests/s are shared by everything behind one NAT
DEADLINE_S = 75.0  # its proxy gives up after 60 s, and goes on storing
PROBE_S = 20.0
# a sample of the future stays the platform's "latest" for ever
FUTURE_NS = 300 * 1_000_000_000


@dataclass(slots=True)
class Pace:
    """Keeps requests of one destination apart, whoever makes them."""

    interval_s: float = INTERVAL_S
    deadline_s: float = DEADLINE_S
    _next_at: float = field(default=0.0)

    async def turn(self) -> None:
        """Wait until the next request may start."""
        loop = asyncio.get_running_loop()
        start = max(self._next_at, loop.time())
        self._next_at = start + self.interval_s
        await asyncio.sleep(start - loop.time())


@dataclass(frozen=True, slots=True)
class Account:
    """A device of the platform.

    Attributes:
        headers: what lets us in, where a certificate does not.
        own: the field device exists on the platform on its own.
    """

    device_id: str
    client: HttpClient
    pace: Pace
    clock: Clock
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    own: bool = False

    async def post(self, path: str, document: Json) -> Answer:
        """Send one document."""
        await self.pace.turn()
        headers = (("Content-Type", "application/json"), *self.headers)
        body = orjson.dumps(document)
        return await self.client.send(Post(path, body, headers, deadline_s=self.pace.deadline_s))

    async def healthy(self) -> bool | None:
        """Whether the platform would store a record now; None when it does not say."""
        await self.pace.turn()
        probe = Post("/api/v1/telemetry/health", method="GET", deadline_s=PROBE_S)
        return healthy(await self.client.send(probe))

    def encode(self, record: Record) -> Json | None:
        """One record as the platform takes it; None when nothing in it can be stored."""
        return encoded(record, self.device_id, own=self.own)

    def in_future(self, record: Record) -> bool:
        """Whether the platform would take this for its newest value for too long."""
        return record.time_ns > self.clock.now().wall_ns + FUTURE_NS
