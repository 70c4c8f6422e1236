"""What time a sample gets: boot clock plus an anchor, looked up when the sample is sent.

An era is a stretch of one boot during which the wall clock did not step. Stored chunks hold boot
clock only and are never changed; an era learns what its boot clock meant. It keeps a list of
anchors, each valid from a number on: what was sent once keeps its stamp for ever, and a better
anchor applies to later numbers only. An anchor is committed before the first request uses it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from agent.cloud import TimeQuality
from agent.sample import Instant

STEP_NS = 200_000_000  # reading two clocks takes far less, the smallest step of an NTP client more
FUTURE_NS = 300_000_000_000  # nothing stamped later than in five minutes is sent


class Source(StrEnum):
    """Who said what the boot clock means."""

    GUESS = "guess"  # the system clock, while nobody vouched for it
    SYSTEM = "system"
    ESTIMATE = "estimate"  # between the boots before and after


QUALITY = {
    Source.GUESS: TimeQuality.UNTRUSTED,
    Source.SYSTEM: TimeQuality.EXACT,
    Source.ESTIMATE: TimeQuality.ESTIMATED,
}


@dataclass(frozen=True, slots=True)
class Anchor:
    """At `mono_ns` on the boot clock it was `wall_ns`; holds for numbers from `since` on."""

    since: int
    mono_ns: int
    wall_ns: int
    source: Source

    @property
    def offset_ns(self) -> int:
        """Wall clock less boot clock."""
        return self.wall_ns - self.mono_ns


@dataclass(frozen=True, slots=True)
class Era:
    """One stretch of time of one boot.

    Attributes:
        boot: id of the boot.
        running_ns: how long the gateway had run in its life when the era began.
        began_ns: boot clock at that moment.
        anchors: in the order they came; the first is a guess unless the clock was trusted. None:
            they are damaged, and it was not placed yet.
    """

    id: int
    boot: str
    running_ns: int
    began_ns: int
    anchors: tuple[Anchor, ...]

    @property
    def trusted(self) -> Anchor | None:
        """The newest anchor that somebody vouched for, or that was estimated."""
        last = self.anchors[-1] if self.anchors else None
        return None if last is None or last.source is Source.GUESS else last

    def anchor(self, number: int, *, trusted_only: bool) -> Anchor | None:
        """What stamps this number, or None while nobody knows."""
        chosen = None
        for anchor in self.anchors:
            usable = not trusted_only or anchor.source is not Source.GUESS
            if usable and (chosen is None or anchor.since <= number):
                chosen = anchor
        return chosen

    def running_at(self, mono_ns: int) -> int:
        """Running time of the gateway's whole life at a moment of this era."""
        return self.running_ns + mono_ns - self.began_ns

    def anchored(self, anchor: Anchor) -> "Era":
        """The same era, knowing better."""
        return replace(self, anchors=(*self.anchors, anchor))


class Eras:
    """All eras of the store; finds the one of an instant and notes what must be committed."""

    def __init__(
        self, known: Iterable[Era] = (), running_ns: int = 0, newest: tuple[int, int] = (0, 0)
    ) -> None:
        """Take up what the store knows.

        Args:
            known: all its eras.
            running_ns: running time when it was last written down.
            newest: era and boot clock of the newest committed sample.
        """
        self.by_id = {era.id: era for era in known}
        self.changed: dict[int, Era] = {}
        self._current: Era | None = None
        self._offset_ns: int | None = None  # of the current era, where somebody vouched for it
        if self.by_id:
            self._go_on(max(self.by_id.values(), key=_order))
        last = self.by_id.get(newest[0])
        self._running_ns = max(running_ns, last.running_at(newest[1]) if last else 0)

    @property
    def ran_ns(self) -> int:
        """How long the gateway had run in its life when the store was last written."""
        return self._running_ns

    def running_ns(self, now: Instant) -> int:
        """How long the gateway has run in its life."""
        era = self._current
        if era is None or era.boot != now.boot:
            return self._running_ns
        return era.running_at(now.mono_ns)

    def of(self, at: Instant, handed: int) -> Era:
        """The era of an instant, made or anchored where needed.

        Args:
            at: the newest instant so far, or a little older.
            handed: highest number that may have left with the anchors known so far.
        """
        era = self._current
        if era is None or era.boot != at.boot:
            return self._begin(at, handed)
        if not at.trusted:
            return era
        if self._offset_ns is None:
            era = self._anchor(era, at, handed)
        elif abs(at.wall_ns - at.mono_ns - self._offset_ns) > STEP_NS:
            self._correct_future(at, handed)
            era = self._begin(at, handed)
        return era

    def adopt(self, era: Era, first: int, end: int) -> int:
        """Take in an era of another store; returns its id here.

        What was sent from there keeps its stamp: its anchors hold for the same samples as before.

        Args:
            era: as that store had it.
            first: the number here of what had number 1 there.
            end: the number after its last.
        """
        anchors = tuple(replace(a, since=a.since + first - 1) for a in era.anchors)
        adopted = replace(era, id=max(self.by_id, default=0) + 1, anchors=anchors)
        if adopted.trusted is None and self._current is not None:
            adopted = self._understood(adopted, self._current, end)
        self._note(adopted)
        return adopted.id

    def _understood(self, era: Era, current: Era, since: int) -> Era:
        """An era of this boot has its clock; one of another boot ended before this one."""
        if era.boot != current.boot:
            return _placed(era, current, since=since)
        known = current.trusted
        return era if known is None else era.anchored(replace(known, since=since))

    def restore(self, key: int, first_ns: int, last_ns: int) -> None:
        """An era whose row is damaged: it ended when the next one began, or the last one did.

        Args:
            key: its id.
            first_ns: boot clock of its first sample.
            last_ns: the same of its last.
        """
        if key in self.by_id:
            return
        after = [era for era in self.by_id.values() if era.id > key]
        later = min(after, key=lambda era: era.id, default=self._current)
        ended_ns = later.running_ns if later is not None else self._running_ns
        era = Era(key, "", max(0, ended_ns - (last_ns - first_ns)), first_ns, ())
        self._note(_placed(era, later, since=0) if later is not None else era)
        self._go_on(max(self.by_id.values(), key=_order))

    def _estimate(self, handed: int) -> None:
        """Place boots that never saw a trusted clock before the next one that did.

        The spacing of their samples is exact; the end is put where the next boot began, which is
        the latest it can have been. What a store in RAM held in this very boot has its clock.
        """
        later: Era | None = None
        current = self._current
        for era in sorted(self.by_id.values(), key=_order, reverse=True):
            known = current if current is not None and current.boot == era.boot else later
            if known is not None and era.trusted is None:
                self._note(self._understood(era, known, handed + 1))
            if self.by_id[era.id].trusted is not None:
                later = self.by_id[era.id]

    def _begin(self, at: Instant, handed: int) -> Era:
        source = Source.SYSTEM if at.trusted else Source.GUESS
        last = self._current
        running_ns = self._running_ns
        if last is not None and last.boot == at.boot:
            running_ns = last.running_at(at.mono_ns)
        anchor = Anchor(0, at.mono_ns, at.wall_ns, source)
        era = Era(max(self.by_id, default=0) + 1, at.boot, running_ns, at.mono_ns, (anchor,))
        self._go_on(era)
        self._note(era)
        if at.trusted:
            self._estimate(handed)
        return era

    def _anchor(self, era: Era, at: Instant, handed: int) -> Era:
        anchored = era.anchored(Anchor(handed + 1, at.mono_ns, at.wall_ns, Source.SYSTEM))
        self._go_on(anchored)
        self._note(anchored)
        self._estimate(handed)
        return anchored

    def _correct_future(self, at: Instant, handed: int) -> None:
        """The clock came back from a jump ahead: what was not sent meanwhile gets true stamps."""
        offset_ns = at.wall_ns - at.mono_ns
        for era in list(self.by_id.values()):
            known = era.trusted
            if era.boot == at.boot and known and known.offset_ns > offset_ns + FUTURE_NS:
                self._note(era.anchored(Anchor(handed + 1, at.mono_ns, at.wall_ns, Source.SYSTEM)))

    def _go_on(self, era: Era) -> None:
        self._current = era
        self._offset_ns = era.trusted.offset_ns if era.trusted else None

    def _note(self, era: Era) -> None:
        self.by_id[era.id] = self.changed[era.id] = era


def _order(era: Era) -> tuple[int, int]:
    """As they were; those of a salvaged store come before all of this one."""
    return era.running_ns, era.id


def _placed(era: Era, later: Era, *, since: int) -> Era:
    """An era that ended where a later boot's clock began, if that was ever trusted."""
    if later.trusted is None:
        return era
    ended_ns = era.began_ns + max(0, later.running_ns - era.running_ns)
    return era.anchored(Anchor(since, ended_ns, later.trusted.offset_ns, Source.ESTIMATE))
