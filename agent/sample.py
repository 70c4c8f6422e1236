"""What a device said at one instant: the unit everything else carries."""

from collections.abc import Mapping
from dataclasses import dataclass

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment, as far as this gateway can know it.

    Attributes:
        boot: id of this boot of the machine (`/proc/sys/kernel/random/boot_id`).
        mono_ns: CLOCK_BOOTTIME, nanoseconds; never steps, counts through suspend.
        wall_ns: nanoseconds since 1970-01-01 UTC, as the system clock said.
        trusted: whether the system clock could be believed at that moment.
    """

    boot: str
    mono_ns: int
    wall_ns: int
    trusted: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """All good values of one device at one instant.

    Attributes:
        device: the key under `devices:` in the configuration.
        at: when the device answered.
        values: by point name; units live in the plan, not here. Never NaN or infinite.
        urgent: commit and send before everything else.
    """

    device: str
    at: Instant
    values: Mapping[str, Value]
    urgent: bool = False
