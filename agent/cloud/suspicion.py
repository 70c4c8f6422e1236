"""Tell a poisonous record from an outage, when a server says the same of both.

Some servers answer HTTP 500 to a batch because one record in it breaks them, and also when their
database is away. Bisecting at once would set good records aside during every outage. So: after a
few failures only parts of the batch are sent, ever smaller, from here and there. A part that passes
is proof that the server works; then a record that fails alone, and again, is to blame. Without such
proof nothing is judged, but for a record that is alone in its batch: it would block the way for
ever, and is set aside after an hour or so of failing.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from agent.cloud import Record

PATIENCE = 3  # failures in a row before parts are tried: a hiccup heals in less
STRIDE = 7919  # a prime, so that parts begin everywhere


class Proof(IntEnum):
    """That the server works; the value is how often a record must fail alone to be blamed."""

    FRESH = 2
    OLD = 8  # another record has been blamed since: some two minutes of pauses
    NONE = 30  # an hour of them


# failures in a row after which a proof is none any more: this is an outage
STALE = {Proof.FRESH: 15, Proof.OLD: 40}


@dataclass(slots=True)
class Suspicion:
    """What the failures so far allow to conclude."""

    failures: int = 0
    proof: Proof = Proof.NONE
    alone: dict[tuple[str, int], int] = field(default_factory=dict)

    def part(self, records: int) -> tuple[int, int]:
        """First index and one past the last of what to send of a batch of so many records."""
        step = self.failures - PATIENCE
        if step < 0 or records == 1:
            return 0, records
        size = max(1, records >> (step // 2 + 1))
        first = (step + 1) * STRIDE % (records - size + 1)
        return first, first + size

    def passed(self, *, whole: bool) -> None:
        """The part was answered; `whole` when it was all of the batch."""
        if whole:
            self.failures, self.proof = 0, Proof.NONE
            self.alone.clear()
        else:
            self.failures, self.proof = PATIENCE, Proof.FRESH

    def failed(self, first: Record, part: int, whole: int) -> bool:
        """A part of so many records failed; True when it is one record, and to blame.

        Args:
            first: the first record of the part.
            part: how many records were sent.
            whole: how many there are.
        """
        self.failures += 1
        if self.failures > STALE.get(self.proof, self.failures):
            self.proof = Proof.NONE
        if part > 1 or (whole > 1 and self.proof is Proof.NONE):
            return False
        key = first.epoch, first.seq
        self.alone[key] = self.alone.get(key, 0) + 1
        if self.alone[key] < self.proof:
            return False
        del self.alone[key]
        self.failures = PATIENCE
        self.proof = Proof.OLD if self.proof is not Proof.NONE else Proof.NONE
        return True
