"""Which gateway a seed has: what its site and each of its destinations are set to."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.plan import Allowance

HOUR_S = 3600.0
BUFFER_BYTES = 64 << 20  # never full
SMALL_BYTES = 300_000  # full after a thousand samples


@dataclass(frozen=True, slots=True)
class Kind:
    """Settings that make a difference; what is not named of a destination has its default.

    Attributes:
        when_full: as in the configuration; thinning takes the count out of a sample by which the
            judge knows it, and so is not for small stores here.
        keep_offline_s: by destination, how old a sample may become that waits for it.
        allows: by destination, what it may cost.
    """

    buffer_bytes: int = BUFFER_BYTES
    when_full: str = "thin"
    keep_offline_s: Mapping[str, float] = field(default_factory=dict)
    allows: Mapping[str, Allowance] = field(default_factory=dict)

    @property
    def small(self) -> bool:
        """Whether the store may run full."""
        return self.buffer_bytes < BUFFER_BYTES


PLAIN = Kind()


def drawn(dice: random.Random) -> Kind:
    """By chance; each setting is at its default as often as not."""
    keep_offline_s = {}
    allows = {}
    if dice.random() < 0.4:
        name = dice.choice(("deduplicates", "platform"))
        keep_offline_s[name] = dice.choice((1.0, 6.0)) * HOUR_S
    if dice.random() < 0.4:
        allows["deduplicates"] = Allowance(readings_per_s=dice.choice((1.0, 5.0)))
    if dice.random() < 0.3:
        return Kind(SMALL_BYTES, "drop-oldest", allows=allows)
    return Kind(keep_offline_s=keep_offline_s, allows=allows)
