"""What a gateway is set to do for each destination: the judge of rates and of ages."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.cloud import Record
from agent.daemon.buffer.database import PAGE_BYTES
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.model import LossEntry
from agent.daemon.buffer.opening import PAGES_MIN
from tests.simulation.cloud import SimCloud, key_of
from tests.simulation.kinds import Kind
from tests.simulation.ledger import Key
from tests.simulation.oracle import Oracle
from tests.simulation.view import View

PIECE_S = 6.0  # of a rate: what may go beyond it for a moment
EARLY_S = 2.0  # clocks that drift, chunks that hold some seconds
LATE_S = 240.0  # until what is too old is looked at; the longest chunk; a start
ORDINARY_MAX = 200  # that may have come since
UNSURE_S = 65.0  # of running time that an unclean stop may cost


@dataclass(slots=True)
class Policies:
    """Compares what the agent does with what it was told to do.

    Attributes:
        paid_s: by destination, until when what it took is paid for, on the loop's clock.
        tried: by destination, what was sent in this life: a request is not changed any more.
        tried_again: what was sent more than once: it may have been given up in between.
        stops: how often the running time may have been set back.
    """

    oracle: Oracle
    kind: Kind
    paid_s: dict[str, float] = field(default_factory=dict)
    tried: dict[str, set[Key]] = field(default_factory=dict)
    tried_again: dict[str, set[Key]] = field(default_factory=dict)
    stops: int = 0

    def __post_init__(self) -> None:
        self.oracle.expires = self.may_expire

    def told(self, cloud: SimCloud, records: Sequence[Record]) -> None:
        """A request reached a destination."""
        served = self.oracle.ledger.served
        known = [found for record in records if (found := served.get(key_of(record)))]
        tried = self.tried.setdefault(cloud.name, set())
        now_s = asyncio.get_running_loop().time()
        keep_s = self.kind.keep_offline_s.get(cloud.name)
        if keep_s is not None:
            most_s = keep_s + LATE_S + self.stops * UNSURE_S
            # what was on its way, or about to be looked at, when the machine fell asleep
            most_s += self.oracle.clock.just_slept_s(2 * LATE_S)
            late = [f.key for f in known if f.key not in tried and self._age_s(f.key) > most_s]
            if late:
                self.oracle.wrong(f"{cloud.name} got {late[0]}, which is older than it wants")
        again = {found.key for found in known} & tried
        self.tried_again.setdefault(cloud.name, set()).update(again)
        tried |= {found.key for found in known}
        rate = self._rate(cloud)
        if rate is None or any(found.urgent for found in known):
            return
        if self.paid_s.get(cloud.name, 0.0) > now_s + PIECE_S + len(records[0].values) / rate:
            self.oracle.wrong(f"{cloud.name} gets more than {rate:g} readings a second")

    def acknowledged(self, cloud: SimCloud, record: Record) -> None:
        """It took one record."""
        again = self.tried_again.setdefault(cloud.name, set())
        if self.may_expire(cloud.name, key_of(record)) or (
            self.kind.small and key_of(record) in again
        ):
            self.oracle.late[cloud.name] += len(record.values)
        rate = self._rate(cloud)
        if rate is not None and not self._urgent(key_of(record)):
            now_s = asyncio.get_running_loop().time()
            paid_s = max(now_s, self.paid_s.get(cloud.name, 0.0))
            self.paid_s[cloud.name] = paid_s + len(record.values) / rate

    def died(self) -> None:
        """A process begins with nothing to pay for."""
        self.paid_s.clear()
        self.tried.clear()
        self.stops += 1

    def causes(self, found: View) -> None:
        """Nothing is given up without a cause."""
        for loss in found.losses:
            if loss.reason is Loss.EXPIRED:
                self._expired(found, loss)
            elif loss.reason is Loss.DROPPED and self.kind.small:
                self._dropped(found, loss)
            elif loss.reason not in self.oracle.excused:
                self.oracle.wrong(f"I1: given up without a cause: {loss}")
        most_bytes = max(self.kind.buffer_bytes, PAGES_MIN * PAGE_BYTES)
        if found.file_bytes > most_bytes:
            self.oracle.wrong(f"I6: the database takes {found.file_bytes} of {most_bytes} bytes")

    def may_expire(self, destination: str, key: Key) -> bool:
        """Whether a sample is old enough to be given up."""
        keep_s = self.kind.keep_offline_s.get(destination)
        return keep_s is not None and self._age_s(key) > keep_s - EARLY_S

    def drains_s(self, cloud: SimCloud, samples: int) -> float:
        """How long so many take at the rate that is allowed."""
        rate = self._rate(cloud)
        return 0.0 if rate is None else samples * 4 / rate

    def _expired(self, found: View, loss: LossEntry) -> None:
        settled = found.cursors[loss.destination].settled
        for key, number in self.oracle.ledger.open[loss.destination].items():
            if not loss.first <= number <= loss.last or number not in settled:
                continue
            if not self.may_expire(loss.destination, key):
                age_s = self._age_s(key)
                self.oracle.wrong(f"I1: {key} expired after {age_s:.0f} s of running: {loss}")
                return

    def _dropped(self, found: View, loss: LossEntry) -> None:
        """Alarms only when next to nothing else is left."""
        served, settled = self.oracle.ledger.served, found.cursors[loss.destination].settled
        waiting = self.oracle.ledger.open[loss.destination].items()
        gone = [k for k, n in waiting if loss.first <= n <= loss.last and n in settled]
        alarm = next((key for key in gone if served[key].urgent), None)
        kept = sum(1 for k, n in waiting if found.held.get(n) == k and not served[k].urgent)
        if alarm is not None and kept > ORDINARY_MAX:
            self.oracle.wrong(f"urgent {alarm} was dropped, {kept} ordinary samples were not")

    def _age_s(self, key: Key) -> float:
        """How long the gateway has run since it was read."""
        return (self.oracle.clock.ran_ns - self.oracle.ledger.served[key].ran_ns) / 1e9

    def _urgent(self, key: Key) -> bool:
        served = self.oracle.ledger.served.get(key)
        return served is not None and served.urgent

    def _rate(self, cloud: SimCloud) -> float | None:
        allowed = self.kind.allows.get(cloud.name)
        return allowed.readings_per_s if allowed else None
