"""What stands in the envelope of the queue: what waits, was refused and was lost, as models."""

from pydantic import ConfigDict, Field

from agent.sample import Value
from agent.status.envelope import Model
from agent.status.models import Store


class Backlog(Model):
    """What one destination has not answered for."""

    samples: int
    readings: int
    bytes: int
    oldest_at: str | None


class SetAside(Model):
    """What one destination refused; `going_again` of the samples are on their way once more."""

    samples: int
    readings: int
    going_again: int


class Lost(Model):
    """What one destination lost for one reason; not exact is an upper bound."""

    model_config = ConfigDict(extra="allow", serialize_by_alias=True)

    reason: str
    samples: int
    readings: int
    since: str | None = Field(alias="from")
    to: str | None
    exact: bool


class Held(Model):
    """One destination in the queue; one that left the configuration has only what is held."""

    configured: bool
    state: str | None = None
    last_ack_at: str | None = None
    rate_per_s: float | None = None
    waiting: Backlog | None
    rejected: SetAside | None
    lost: list[Lost]


class Queue(Model):
    """Backlog per destination with what was refused and lost, and what the store holds."""

    store: Store
    destinations: dict[str, Held]


class Rejected(Model):
    """One sample that a destination refused; null where its row is damaged."""

    destination: str
    msg_id: str
    time: str
    device: str | None
    reason: str
    readings: int
    values: dict[str, Value] | None
    again: bool
