"""What a destination is given and what it may answer; one module or package per kind below.

A destination encodes, sends and judges the answer. It knows nothing of retries, cursors or files:
those are the uplink's and the buffer's. Only positive proof of receipt is an acknowledgement.
"""

import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from agent.errors import FieldpostError
from agent.plan import Json
from agent.sample import Value
from agent.secret import Secret


class TimeQuality(StrEnum):
    """What the time stamp of a record is worth."""

    EXACT = "exact"
    ESTIMATED = "estimated"  # this boot never saw a trusted clock; spacing is exact
    UNTRUSTED = "untrusted"  # taken before the clock could be believed, and sent as it was


@dataclass(frozen=True, slots=True)
class Record:
    """One committed sample on its way out. (gateway, epoch, seq) names it for ever."""

    epoch: str
    seq: int
    device: str
    time_ns: int
    values: Mapping[str, Value]
    time: TimeQuality = TimeQuality.EXACT


@dataclass(frozen=True, slots=True)
class Batch:
    """Records to send in one go, in order of seq; never empty."""

    records: Sequence[Record]

    @property
    def readings(self) -> int:
        """Single values in it."""
        return sum(len(record.values) for record in self.records)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a destination said of each index of a batch; an index in none is unanswered (kept).

    Attributes:
        accepted: indices positively received.
        refused: index → the destination's own words; judged, never to be sent again unchanged.
        partly: how many of the accepted were stored only partly (warnings).
        shut_out: index → why the account it belongs to is not let in, while others are; kept.
        known: the highest name that it says it has, as epoch and number; beyond what was sent.
    """

    accepted: Collection[int] = ()
    refused: Mapping[int, str] = field(default_factory=dict)
    partly: int = 0
    shut_out: Mapping[int, FieldpostError] = field(default_factory=dict)
    known: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the uplink may put into one batch for this destination.

    Attributes:
        records, readings: at most so many in a batch.
        interval_s: shortest time between two requests, seconds.
        trusted_time: hold samples back until their time is trusted (it cannot correct later).
        deduplicates: its consumers recognise a repeated `msg_id`.
        oldest_s: samples older than this are refused by it, so they are given up; None: none are.
        takes: only samples of these devices, the others are kept; None: all.
    """

    records: int = 1000
    readings: int = 10_000
    interval_s: float = 0.0
    trusted_time: bool = False
    deduplicates: bool = True
    oldest_s: float | None = None
    takes: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a heartbeat tells of the gateway."""

    uptime_s: int
    version: str
    free_memory_kb: int


class Unreachable(FieldpostError):
    """Nothing was heard: keep everything, wait, try again. It may have been stored.

    Args:
        retry_after_s: what the destination asked for, seconds, or None.
    """

    code = "UNREACHABLE"

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, action: str | None = None
    ) -> None:
        super().__init__(message, action=action)
        self.retry_after_s = retry_after_s


class Overloaded(Unreachable):
    """It is there and wants less: what is too much again after its pause goes in smaller pieces."""


class Unauthorized(FieldpostError):
    """The credentials are not accepted: keep everything, tell a person, try every few minutes."""

    code = "UNAUTHORIZED"


class Misconfigured(FieldpostError):
    """The address is wrong (404, redirect to another host): keep everything, tell a person."""

    code = "MISCONFIGURED"


class BatchRefused(FieldpostError):
    """The batch as a whole was judged and refused: bisect; a lone record is set aside."""

    code = "REFUSED"


class BatchTooLarge(BatchRefused):
    """Too many records or bytes: halve; a lone record is set aside."""


class Cloud(Protocol):
    """One destination. `send` is never called again before the call before has ended."""

    @property
    def limits(self) -> Limits:
        """What fits into a batch; may change after an answer (receive maximum, 413)."""
        ...

    async def send(self, batch: Batch) -> Receipt:
        """Send one batch, connecting first where that is needed, and judge the answer.

        Raises:
            Unreachable, Unauthorized, Misconfigured, BatchRefused, BatchTooLarge
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections; quick, never raises."""
        ...


@runtime_checkable
class Beats(Protocol):
    """A destination that wants to hear that the gateway lives, data or not."""

    @property
    def beat_every_s(self) -> float:
        """Seconds between heartbeats."""
        ...

    async def beat(self, vitals: Vitals) -> None:
        """Send one heartbeat; raises as `send` does, and never stops telemetry."""
        ...


@runtime_checkable
class Forgets(Protocol):
    """A destination that acknowledges before it has written, and so may forget."""

    def forgot(self) -> bool:
        """Whether it was found without its memory since the last call."""
        ...


@runtime_checkable
class Divided(Protocol):
    """A destination that knows some devices by accounts of their own."""

    def account_of(self, device: str) -> str:
        """Whose credentials carry a device's samples; a name for people."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A destination that knows what it costs."""

    @property
    def wire_bytes(self) -> int:
        """Bytes on the wire both ways since it was made, headers of TCP and IP included."""
        ...


@runtime_checkable
class Certified(Protocol):
    """A destination with certificates that run out."""

    @property
    def ends(self) -> "Ends":
        """When they do, as far as that is known."""
        ...


@dataclass(frozen=True, slots=True)
class Ends:
    """When certificates run out, wall time in nanoseconds; None: there is none, or none was seen.

    Attributes:
        own: the one we show.
        server: the one we were shown last.
    """

    own: int | None = None
    server: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a destination is, for whoever checks the way to it.

    Attributes:
        tls: None = unencrypted, to this machine only.
        server_name: expected in the certificate; None = the host.
        web: speaks HTTP, so that its clock can be asked.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    server_name: str | None = None
    web: bool = False


@runtime_checkable
class Placed(Protocol):
    """A destination with one place in the network."""

    @property
    def place(self) -> Place:
        """Where it is; no I/O."""
        ...


class Opens(Protocol):
    """What `Destination.opens` names."""

    def __call__(self, gateway: str, spec: Json, secrets: Mapping[str, Secret]) -> Cloud:
        """Make the destination, without I/O.

        Args:
            gateway: `site.id`.
            spec: what the kind's settings compiled to.
            secrets: those named in the plan.

        Raises:
            FieldpostError: a secret is missing or unusable; the sentence names it.
        """
        ...
