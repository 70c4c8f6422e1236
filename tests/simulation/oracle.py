"""The judge: compares what the world saw with what was promised; believes nothing the agent says.

I1 … I9 are the promises of the store: conservation, no invention, identity, no delete before
receipt, a bounded window, liveness and honesty.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent.cloud import Record, TimeQuality
from agent.daemon.buffer.facts import Loss
from agent.daemon.buffer.model import Chunk, Cursor
from agent.daemon.buffer.orders import Done, Order
from tests.simulation.clock import SimClock
from tests.simulation.cloud import Identity, SimCloud, key_of
from tests.simulation.ledger import Key, Ledger, Served
from tests.simulation.view import View

STAMP_NS = 260_000_000  # a step below 200 ms is drift to the store; and some for reading clocks
WINDOW_SLACK_S = 0.05
FINDINGS_MAX = 10  # then it is enough
PASSED_MAX = 1  # requests that may be taken before an urgent sample that was committed earlier


@dataclass(slots=True)
class Oracle:
    """Everything it found wrong, in the order it was found.

    Attributes:
        names: the one name each served sample goes by.
        seen: by destination, what was sent under each name.
        passed: by destination, how often each urgent sample had to let an ordinary one go first.
        late: by destination, readings it took that may have been given up in the meantime.
        expires: whether a sample is old enough to be given up for a destination.
        excused: reasons to lose something that the world has given.
    """

    ledger: Ledger
    clock: SimClock
    findings: list[str] = field(default_factory=list)
    names: dict[Key, Identity] = field(default_factory=dict)
    seen: dict[str, dict[Identity, Record]] = field(default_factory=dict)
    passed: dict[str, dict[Key, int]] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    expires: Callable[[str, Key], bool] = lambda _destination, _key: False
    excused: set[Loss] = field(default_factory=set)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.passed = {name: {} for name in self.ledger.destinations}
        self.seen = {name: {} for name in self.ledger.destinations}
        self.late = dict.fromkeys(self.ledger.destinations, 0)

    def wrong(self, sentence: str) -> None:
        day, second = divmod(asyncio.get_running_loop().time(), 86_400)
        self.findings.append(f"day {day:.0f} {second:.1f} s: {sentence}")
        if len(self.findings) >= FINDINGS_MAX:
            self.enough.set()

    def committed(self, args: tuple[object, ...], result: object) -> None:
        """A piece of the store's work is done, and true from now on."""
        if not isinstance(result, Done):
            return
        if result.broken is not None:
            order = args[0]
            unsure = order.chunks or () if isinstance(order, Order) else ()
            for key, number in _entries(result.chunks or unsure):
                self.ledger.keep_in_ram(key, number)
            if not result.chunks:
                self.ledger.unsure |= dict(_entries(unsure))
            return
        for key, number in list(self.ledger.in_ram.items()):
            self._on_card(key, number)
        for chunk in result.chunks:
            for key, number in _entries([chunk]):
                self._on_card(key, number)

    def _on_card(self, key: Key, number: int) -> None:
        now_s = asyncio.get_running_loop().time()
        if complaint := self.ledger.commit(key, number, now_s):
            self.wrong(complaint)
        elif self.ledger.served[key].urgent:
            for name, passed in self.passed.items():
                if self.names.get(key) not in self.seen[name]:  # from RAM it may have left before
                    passed[key] = 0

    def told(self, cloud: SimCloud, records: Sequence[Record]) -> None:
        """A request reached a destination."""
        seen = self.seen[cloud.name]
        fresh = [record for record in records if (record.epoch, record.seq) not in seen]
        numbers = [record.seq for record in records]
        if len({r.epoch for r in records}) == 1 and numbers != sorted(set(numbers)):
            self.wrong(f"I3: {cloud.name} got numbers out of order in one batch")
        for record in records:
            self._record(cloud, record, seen)
        self._urgent(cloud, records, fresh)

    def _record(self, cloud: SimCloud, record: Record, seen: dict[Identity, Record]) -> None:
        name, key = (record.epoch, record.seq), key_of(record)
        before = seen.setdefault(name, record)
        if before is not record and before != record:
            self.wrong(f"I3: {cloud.name} got {record}, and under the same name before {before}")
        if self.names.setdefault(key, name) != name:
            self.wrong(f"I3: {key} was sent as {name} and as {self.names[key]}")
        served = self.ledger.served.get(key)
        if served is None or dict(record.values) != dict(served.values):
            self.wrong(f"I2: {cloud.name} got {record}; served was {served}")
            return
        if served.committed_s is None and key not in self.ledger.in_ram:
            self.wrong(f"I1: {key} left before it was committed")
        if complaint := self._stamp(served, record):
            self.wrong(f"I2: {cloud.name} got {record}: {complaint}")

    def _stamp(self, served: Served, record: Record) -> str | None:
        """What is wrong with a time, or None."""
        boot = self.clock.boots[served.at.boot]
        error_ns = record.time_ns - served.true_ns
        drift_ns = abs(boot.ppm) / 1e6 * (self.clock.true_ns - boot.began_ns)
        allowed_ns = STAMP_NS + (0 if served.at.trusted else drift_ns)
        if record.time is TimeQuality.ESTIMATED:
            return None if error_ns > -allowed_ns else f"{-error_ns / 1e9:.3f} s too early"
        exact = record.time is TimeQuality.EXACT
        lies = [error for error, vouched in boot.shown if vouched or not exact]
        if any(abs(error_ns - lie) <= allowed_ns + drift_ns * (lie != 0) for lie in (0, *lies)):
            return None
        return f"{error_ns / 1e9:.3f} s off"

    def _urgent(self, cloud: SimCloud, records: Sequence[Record], fresh: list[Record]) -> None:
        passed = self.passed[cloud.name]
        for record in records:
            passed.pop(key_of(record), None)
        if len(fresh) < len(records) or not passed:
            return
        if any(self.ledger.served[key_of(record)].urgent for record in fresh):
            return
        for key in passed:
            if cloud.limits.trusted_time and not self.ledger.served[key].at.trusted:
                continue  # it waits for its time, not for them
            if self.expires(cloud.name, key):
                continue
            passed[key] += 1
            if passed[key] > PASSED_MAX:
                self.wrong(f"{cloud.name}: urgent {key} waited for {passed[key]} ordinary requests")

    def acknowledged(self, cloud: SimCloud, record: Record) -> None:
        self.ledger.answer(cloud.name, key_of(record))

    def died(self, since_s: float, window_s: float) -> int:
        """A process ended without a word; returns the readings that went with it."""
        gone = self.ledger.die()
        oldest_s = since_s - window_s - WINDOW_SLACK_S
        for served in gone:
            if served.accepted_s is not None and served.accepted_s < oldest_s:
                late_s = since_s - served.accepted_s
                self.wrong(f"I5: {served.key} was accepted {late_s:.1f} s before, and is gone")
        urgent = [served.key for served in gone if served.urgent]
        if urgent:
            self.wrong(f"I5: urgent {urgent} were accepted, and are gone")
        return sum(len(served.values) for served in gone)

    def on_card(self, found: View, clouds: dict[str, SimCloud]) -> None:
        """I4: everything committed is answered for, or it is still there."""
        for key, number in self.ledger.unsure.items():
            if found.held.get(number) == key and self.ledger.served[key].committed_s is None:
                self._on_card(key, number)
        self.ledger.unsure.clear()
        for name, waiting in self.ledger.open.items():
            for key, number in waiting.items():
                if complaint := self._kept(found, clouds[name], key, number):
                    self.wrong(complaint)

    def _kept(self, found: View, cloud: SimCloud, key: Key, number: int) -> str | None:
        """What is wrong with a committed sample that a destination has not said it has."""
        name = cloud.name
        if number not in found.cursors[name].settled:
            gone = found.held.get(number) != key and not found.lost(name, number)  # or thinned
            return f"I4: {key} is gone from the card, unanswered by {name}" if gone else None
        if key in cloud.refused:
            aside = self.names[key] in found.set_aside[name] or found.lost(name, number)
            return None if aside else f"I1: {key}, refused by {name}, was not set aside"
        if not found.lost(name, number):
            return f"I4: {key} counts as answered; {name} never said so"
        return None

    def admitted(self, found: View, gone_readings: int) -> None:
        """I5: what unclean stops cost is in the ledger of losses, as an upper bound."""
        for name in found.cursors:
            if (said := found.unclean(name)) < gone_readings:
                self.wrong(
                    f"I5: {gone_readings} readings went uncommitted, {name}'s ledger: {said}"
                )

    def accounts(self, found: View, clouds: dict[str, SimCloud]) -> None:
        """I1 after a clean stop: the sums agree with the sets."""
        if left := [key for key in self.ledger.floating if key not in self.ledger.in_ram]:
            self.wrong(f"I1: a clean stop left {left[:5]} uncommitted")
        if found.readings != self.ledger.committed_readings:
            ours = self.ledger.committed_readings
            self.wrong(f"I1: the store counts {found.readings} readings, committed were {ours}")
        for name, cursor in found.cursors.items():
            served = self.ledger.served  # what left from RAM and died there is in no store
            acked = clouds[name].acked
            got = sum(acked[key] for key in acked if served[key].committed_s is not None)
            if not got - self.late[name] <= cursor.delivered.readings <= got:
                said = cursor.delivered.readings
                self.wrong(f"I1: {said} count as delivered to {name}, which has {got}")
            self._lost(found, cursor, clouds[name])

    def _lost(self, found: View, cursor: Cursor, cloud: SimCloud) -> None:
        """What was given up is what is neither answered nor held, and the ledger has all of it."""
        gone = [
            key
            for key, number in self.ledger.open[cloud.name].items()
            if not (key in cloud.refused and self.names[key] in found.set_aside[cloud.name])
            and (number in cursor.settled or found.held.get(number) != key)
        ]
        readings = sum(len(self.ledger.served[key].values) for key in gone)
        counts = {"cursor": cursor.lost.readings, "ledger": found.given_up(cloud.name)}
        for place, count in counts.items():
            if not readings <= count <= readings + self.late[cloud.name]:
                self.wrong(f"I1: {cloud.name} lost {readings} readings, its {place} says {count}")


def _entries(chunks: Sequence[Chunk]) -> list[tuple[Key, int]]:
    found = []
    for chunk in chunks:
        for number, device, _, values in chunk.entries:
            count = values.get("n")
            found.append(((device, count if type(count) is int else -1), number))
    return found
