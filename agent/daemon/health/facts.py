"""What others tell health about the machine, the store and the configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.cloud import Ends
from agent.daemon.uplink.budget import Spending
from agent.driver import Figures
from agent.errors import FieldpostError


@dataclass(frozen=True, slots=True)
class Power:
    """Supply voltage, as a Raspberry Pi's firmware judges it.

    Attributes:
        low_now: whether it is too low at this moment.
        low_24h: how often it was in the last 24 h, counted by us.
    """

    low_now: bool
    low_24h: int


@dataclass(frozen=True, slots=True)
class Throttling:
    """Words of the firmware: `under-voltage`, `capped`, `throttled`, `soft-limit`."""

    now: Sequence[str]
    since_start: Sequence[str]


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of RAM."""

    available_bytes: int
    total_bytes: int
    agent_rss_bytes: int


@dataclass(frozen=True, slots=True)
class Card:
    """The file system of the state directory and the device below it.

    Attributes:
        written_bytes: to the block device since it came up, by everybody; None: not measured.
        written_bytes_day: the same as a rate; None until an hour was observed.
        agent_written_bytes_day: of which ours.
        projected_life_years: assumed endurance by that rate.
        worn: share of the life an eMMC reports as used, 0 to 1.1; None: cards do not say.
    """

    free_bytes: int
    total_bytes: int
    read_only: bool
    written_bytes: int | None = None
    written_bytes_day: int | None = None
    agent_written_bytes_day: int | None = None
    projected_life_years: float | None = None
    assumed_endurance_bytes: int = 0
    worn: float | None = None


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """The wall clock.

    Attributes:
        synchronized: whether the system vouches for it.
        steps_24h: jumps of more than a minute.
        rtc: whether the board has a clock of its own.
    """

    synchronized: bool
    steps_24h: int
    rtc: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """One look at the machine; None is a fact that this board does not offer."""

    model: str | None
    boot_uptime_s: int
    card: Card
    clock: ClockFacts
    power: Power | None = None
    throttling: Throttling | None = None
    celsius: float | None = None
    memory: Memory | None = None
    load_1min: float | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """A configuration that is running on trial."""

    version: int
    left_s: float


@dataclass(frozen=True, slots=True)
class Configuration:
    """What runs, and how it relates to the file.

    Attributes:
        version: number of the running plan's text.
        applied_at_ns: wall time; None when unknown.
        rejected: first message of `check`, when the file is bad and the last good plan runs.
    """

    version: int = 0
    applied_at_ns: int | None = None
    applied_by: str | None = None
    edited_not_applied: bool = False
    rejected: str | None = None
    trial: Trial | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """What the lane to one destination knows of its way.

    Attributes:
        spending: of the month's budget; None where there is none.
        shut_out: accounts that are not let in while others are, and why.
        ends: when certificates run out.
    """

    spending: Spending | None = None
    shut_out: Mapping[str, FieldpostError] = field(default_factory=dict)
    ends: Ends = field(default_factory=Ends)

    @property
    def used_up(self) -> bool:
        """Whether only what is urgent goes until the next month."""
        spending = self.spending
        return spending is not None and spending.used_bytes >= spending.allowed_bytes


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for one destination, and what became of the rest.

    Attributes:
        oldest_ns: wall time of the oldest waiting sample, or None.
        lost_total: readings given up on purpose or by accident, since the store was made.
        given_up_total: these and what was never taken in, as the ledger has it: upper bounds too.
        by_hand_total: of these, what a person gave up, who needs no alarm.
    """

    readings: int = 0
    bytes: int = 0
    oldest_ns: int | None = None
    delivered_total: int = 0
    rejected_total: int = 0
    lost_total: int = 0
    given_up_total: int = 0
    by_hand_total: int = 0
    way: Way = field(default_factory=Way)


@dataclass(frozen=True, slots=True)
class Store:
    """The buffer, in figures.

    Attributes:
        uncommitted_age_s: of the oldest accepted sample that is not on the card yet.
        set_aside: what was damaged and quarantined, one sentence, or None.
        broken: why nothing can be stored at the moment, one sentence, or None.
        written_bytes: by our commits since the start.
        starts_total: of the daemon on this store, power cuts and crashes included.
    """

    epoch: str = ""
    quota_bytes: int = 0
    used_bytes: int = 0
    accepted_readings_total: int = 0
    lost_readings_total: int = 0
    uncommitted_age_s: float = 0.0
    written_bytes: int = 0
    starts_total: int = 0
    set_aside: str | None = None
    broken: str | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything health does not learn from samples, faults and receipts.

    Attributes:
        figures: by connection, of those that run and measure.
    """

    machine: Machine
    store: Store = field(default_factory=Store)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    configuration: Configuration = field(default_factory=Configuration)
    figures: Mapping[str, Figures] = field(default_factory=dict)
