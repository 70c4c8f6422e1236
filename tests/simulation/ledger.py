"""The ledger outside the agent: what the plant served, what was accepted, what was committed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.sample import Instant, Value

Key = tuple[str, int]  # device, and the count that is one of the values it served


@dataclass(slots=True)
class Served:
    """One sample, from the moment the plant made it up.

    Attributes:
        values: those that are good, and so all that may ever arrive.
        true_ns: when it really was.
        ran_ns: how long the gateway had run then.
        life: number of the process life that read it.
        accepted_s, committed_s: on the loop's clock, None while it was not.
    """

    key: Key
    values: Mapping[str, Value]
    urgent: bool
    at: Instant
    true_ns: int
    ran_ns: int
    life: int
    accepted_s: float | None = None
    committed_s: float | None = None


@dataclass(slots=True)
class Ledger:
    """Append-only; nothing here comes from the agent's own accounts.

    Attributes:
        open: of each destination, what was committed and it has not answered for yet.
        floating: accepted and not committed.
        numbers: the number in the store of what was committed.
        in_ram: written to RAM while the card refused.
        unsure: on the card or not: it erred while it took them.
    """

    destinations: tuple[str, ...]
    served: dict[Key, Served] = field(default_factory=dict)
    open: dict[str, dict[Key, int]] = field(default_factory=dict)
    answered: dict[str, set[Key]] = field(default_factory=dict)
    floating: dict[Key, Served] = field(default_factory=dict)
    in_ram: dict[Key, int] = field(default_factory=dict)
    unsure: dict[Key, int] = field(default_factory=dict)
    committed_readings: int = 0
    committed_samples: int = 0
    was_in_ram: bool = False

    def __post_init__(self) -> None:
        self.open = {name: {} for name in self.destinations}
        self.answered = {name: set() for name in self.destinations}

    def serve(self, served: Served) -> None:
        self.served[served.key] = served

    def accept(self, key: Key, now_s: float) -> None:
        served = self.served[key]
        served.accepted_s = now_s
        if served.committed_s is None and key not in self.in_ram:
            self.floating[key] = served

    def commit(self, key: Key, number: int, now_s: float) -> str | None:
        """It is on the card; returns what is wrong with that, if anything."""
        served = self.served.get(key)
        if served is None:
            return f"I2: {key} was committed, and nobody served it"
        if served.committed_s is not None:
            return f"I3: {key} was committed twice"
        served.committed_s = now_s
        self.floating.pop(key, None)
        self.in_ram.pop(key, None)
        self.committed_samples += 1
        self.committed_readings += len(served.values)
        for name, waiting in self.open.items():
            if key not in self.answered[name]:  # from RAM it may have left before
                waiting[key] = number
        return None

    def answer(self, destination: str, key: Key) -> None:
        """A destination said that it has it."""
        self.answered[destination].add(key)
        self.open[destination].pop(key, None)

    def keep_in_ram(self, key: Key, number: int) -> None:
        self.was_in_ram = True
        self.in_ram[key] = number
        self.floating.pop(key, None)

    def die(self) -> list[Served]:
        """The process is gone; what was accepted and not committed goes with it."""
        gone = list(self.floating.values())
        self.floating.clear()
        self.in_ram.clear()
        return gone
