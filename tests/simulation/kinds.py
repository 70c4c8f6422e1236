"""Which gateway a seed has: what its site and each of its destinations are set to."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.plan import Allowance

HOUR_S = 3600.0
BUFFER_BYTES = 64 << 20  # never full


@dataclass(frozen=True, slots=True)
class Kind:
    """Settings that make a difference; what is not named of a destination has its default.

    Attributes:
        keep_offline_s: by destination, how old a sample may become that waits for it.
        allows: by destination, what it may cost.
    """

    buffer_bytes: int = BUFFER_BYTES
    keep_offline_s: Mapping[str, float] = field(default_factory=dict)
    allows: Mapping[str, Allowance] = field(default_factory=dict)


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
    return Kind(keep_offline_s=keep_offline_s, allows=allows)
