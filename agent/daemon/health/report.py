"""What health finds at one moment: the shape from which every surface is rendered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent import plan
from agent.daemon.health.facts import Queue, Surroundings
from agent.daemon.health.machine import Check
from agent.daemon.health.score import Part
from agent.daemon.health.words import Component, DestinationState, DeviceState, Status
from agent.driver import ConnectionState
from agent.sample import Value


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding that a person can act on.

    Attributes:
        code: stable: `FP-` and the area (C, S, B, D, N, U, H) with a number.
        thing: `device`, `value` (of a device), `connection`, `destination` or `machine`.
        word: what happened, for the event's type.
        message: one sentence with its subject in front.
        since_s: when it began, on the boot clock.
    """

    code: str
    severity: Status
    thing: str
    word: str
    subject: str
    message: str
    action: str | None
    since_s: float = 0.0

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same problem a moment later."""
        return self.code, self.subject


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """One device.

    Attributes:
        last_s: when its newest good sample was taken, on the boot clock.
        counts: attempts, failed and damaged answers of the last hour.
        failures_total: by reason, since the start.
    """

    device: plan.Device
    state: DeviceState
    last_s: float | None
    age_s: float | None
    interval_s: float | None
    parts: Mapping[Component, Part]
    score: float | None
    values: Mapping[str, Value]
    message_count: int
    counts: tuple[int, int, int]
    failures_total: Mapping[str, int]
    message: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """One connection."""

    connection: plan.Connection
    state: ConnectionState
    message: str | None
    action: str | None


@dataclass(frozen=True, slots=True)
class DestinationReport:
    """One destination."""

    destination: plan.Destination
    state: DestinationState
    queue: Queue
    last_ack_s: float | None
    drain_s: float | None
    next_try_s: float | None
    rejected_1h: int
    lost_1h: int
    rate_per_s: float
    partly_total: int
    requests_total: Mapping[str, int]
    message: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole gateway at one moment.

    Attributes:
        now_s, wall_ns: that moment on the boot clock and on the wall.
        room_s: how long the buffer lasts if nothing leaves; None: not measured.
    """

    plan: plan.Plan
    now_s: float
    wall_ns: int
    started_s: float
    status: Status
    score: float | None
    parts: Mapping[Component, Part]
    problems: Sequence[Problem]
    checks: Sequence[Check]
    devices: Mapping[str, DeviceReport]
    connections: Mapping[str, ConnectionReport]
    destinations: Mapping[str, DestinationReport]
    around: Surroundings
    room_s: float | None
