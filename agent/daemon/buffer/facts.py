"""What the buffer tells the rest of the daemon."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum


class Lane(Enum):
    """Which of the waiting records to take."""

    URGENT = "urgent"
    LIVE = "live"  # committed after the last `mark_live`
    BACKLOG = "backlog"  # committed before it
    ANY = "any"  # everything, in order


class Loss(StrEnum):
    """Why readings were given up: the closed list of the loss ledger."""

    UNCLEAN_STOP = "unclean_stop"
    THINNED = "thinned"
    DROPPED = "dropped"
    REFUSED_NEW = "refused_new"
    EXPIRED = "expired"
    CORRUPTION = "corruption"
    ROLLED_BACK = "rolled_back"
    REJECTED_OVERFLOW = "rejected_overflow"
    RAM_OVERFLOW = "ram_overflow"
    RAM_LOST = "ram_lost"
    OPERATOR = "dropped_by_operator"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What one destination has not answered for.

    Attributes:
        bytes: what it takes on the card, about.
        oldest_ns: wall time of the oldest, or None when nothing waits.
        urgent: how many of the samples are urgent.
    """

    samples: int = 0
    readings: int = 0
    bytes: int = 0
    oldest_ns: int | None = None
    urgent: int = 0


@dataclass(frozen=True, slots=True)
class DestinationFacts:
    """Readings of one destination since it was configured.

    Always: accepted = delivered + rejected + lost + waiting.

    Attributes:
        lost_by_reason: as the ledger has it, with the upper bounds of what was never numbered:
            lost at an unclean stop, or refused by policy.
    """

    accepted: int = 0
    accepted_samples: int = 0
    delivered: int = 0
    rejected: int = 0
    lost: int = 0
    waiting: int = 0
    lost_by_reason: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """How the store is.

    Attributes:
        used_bytes: what lies on the card: database with its free pages, WAL, quarantine, ballast.
        accepted_readings_total, lost_readings_total: since the store was made.
        uncommitted_age_s: age of the oldest accepted sample that is not committed yet.
        written_bytes: committed since the start, about.
        broken: why it works in RAM only, one sentence, or None.
        set_aside: what was put into quarantine and is not yet salvaged, one sentence, or None.
    """

    epoch: str
    quota_bytes: int
    used_bytes: int
    accepted_readings_total: int
    lost_readings_total: int
    uncommitted_age_s: float
    written_bytes: int
    commits: int = 0
    starts: int = 0
    broken: str | None = None
    set_aside: str | None = None
    destinations: Mapping[str, DestinationFacts] = field(default_factory=dict)
