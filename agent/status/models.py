"""What stands in the envelope: the answers of status-page-and-api, section 10, as models."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from agent.status.envelope import Model, TelemetryMeta

Share = Annotated[float, Field(ge=0, le=1)]
Value = bool | int | float | str


class Gateway(Model):
    """Which gateway this is."""

    id: str
    name: str
    version: str
    model: str | None
    time: str
    started_at: str | None
    uptime_s: int
    boot_uptime_s: int


class Component(Model):
    """One part of a health score and the reason that costs most."""

    value: Share | None
    reason: str
    action: str | None
    weight: Share | None = None
    device: str | None = None


class Problem(Model):
    """One finding that a person can act on."""

    code: str
    severity: str
    subject: str
    since: str | None
    message: str
    action: str | None


class Health(Model):
    """The gateway's word, score and problems."""

    status: str
    score: Share | None
    components: dict[str, Component]
    problems: list[Problem]


class Cost(Model):
    """What one device costs its connection; `refused`: what it does not give with one request."""

    busy_ratio: float
    latency_ms: float | None
    refused: list[str]


class Connection(Model):
    """One wire or radio."""

    kind: str
    place: str
    state: str
    message: str | None
    action: str | None
    busy_ratio: float | None = None
    overruns_total: int | None = None
    by_device: dict[str, Cost] = Field(default_factory=dict)


class Budget(Model):
    """What a destination may cost in this month; without a clock nobody knows when that ends."""

    used_bytes: int
    allowed_bytes: int
    resets_at: str | None


class Destination(Model):
    """One cloud and what waits for it."""

    kind: str
    state: str
    last_ack_at: str | None
    waiting_readings: int
    oldest_at: str | None
    drain_s: float | None
    next_try_s: float | None
    rejected_1h: int
    lost_total: int
    stored_partly_total: int
    certificate_expires_at: str | None
    server_certificate_expires_at: str | None
    budget: Budget | None
    shut_out: dict[str, str]


class Store(Model):
    """The buffer."""

    epoch: str
    quota_bytes: int
    used_bytes: int
    room_s: float | None
    may_lose_s: float
    accepted_readings_total: int
    lost_readings_total: int
    starts_total: int


class Configuration(Model):
    """What runs, and how it relates to the file."""

    version: int
    applied_at: str | None
    applied_by: str | None
    edited_not_applied: bool
    rejected: str | None
    trial: dict[str, Any] | None


class KeyValue(Model):
    """One of the values a card shows."""

    point: str
    value: Value
    unit: str | None


class Card(Model):
    """What the page shows of one device at a glance."""

    id: str
    state: str
    age_s: float | None
    interval_s: float | None
    profile: str
    connection: str
    score: Share | None
    message: str | None
    action: str | None
    values: list[KeyValue]


class Status(Model):
    """Everything the page needs (10.1); `machine` has null for what this board does not offer."""

    gateway: Gateway
    health: Health
    devices: dict[str, int]
    connections: dict[str, Connection]
    destinations: dict[str, Destination]
    store: Store
    machine: dict[str, Any]
    configuration: Configuration
    cards: list[Card]


class DeviceHealth(Model):
    """A device's score; the list has it without components."""

    score: Share | None
    components: dict[str, Component] | None = None


class Counters(Model):
    """Of the last hour; null is not measured."""

    attempts_1h: int
    failed_1h: int
    damaged_1h: int
    answer_ms_median: float | None


class Point(Model):
    """One value of a device."""

    unit: str | None
    interval_s: float | None
    writable: bool


class Telemetry(Model):
    """The newest value of each point, and how many messages came since the start."""

    last_value: dict[str, Value]
    message_count: int


class DeviceInList(Model):
    """One device, as in the list."""

    id: str
    name: str
    type: str
    status: str
    state: str
    last_seen: str | None
    age_s: float | None
    interval_s: float | None
    profile: str
    connection: str
    address: str
    message: str | None
    action: str | None
    health: DeviceHealth
    counters: Counters


class Device(DeviceInList):
    """One device with everything (10.2)."""

    points: dict[str, Point]
    telemetry_summary: Telemetry


class Sample(Model):
    """One sample, or with `resolution=5min` one step: `{min, mean, max, n}` for each point."""

    timestamp: str
    data: dict[str, Any]
    time_trusted: bool | None = None


class TelemetryAnswer(Model):
    """Samples, oldest first."""

    success: bool = True
    data: list[Sample]
    meta: TelemetryMeta


class DestinationInList(Destination):
    """One destination with its name."""

    id: str


class Event(Model):
    """One change of state."""

    time: str
    severity: str
    event: str
    subject: str
    message: str
    action: str | None
    code: str | None
    repeated: int


class Token(Model):
    """One token; its hash stays at home."""

    model_config = ConfigDict(extra="ignore")

    id: str
    name: str
    role: str
    created: str
    last_used: str | None
    expires: str | None


class AuditLine(Model):
    """One line of the audit log; each holds the hash of the line before.

    `detail` says why something was not done; it is absent where nothing is to be said.
    """

    who: str
    what: str
    result: str
    detail: str = ""
