"""Tell a poisonous record from an outage, when a server says the same of both.

Some servers answer HTTP 500 to a batch because one record in it breaks them, and also when their
database is away. Bisecting at once would set good records aside during every outage. So: after a
few failures only parts of the batch are sent, from either end in turn and ever smaller. A part that
passes is proof that the server works; then the lone record that still fails is to blame. Without
such proof nothing is ever judged.
"""

from dataclasses import dataclass

PATIENCE = 3  # failures in a row before parts are tried: a hiccup heals in less


@dataclass(slots=True)
class Suspicion:
    """What the failures so far allow to conclude.

    Attributes:
        failures: requests in a row that failed without being judged.
        proven: something has passed since the first of them.
    """

    failures: int = 0
    proven: bool = False

    def part(self, records: int) -> tuple[int, int]:
        """First index and one past the last of what to send of a batch of so many records."""
        step = self.failures - PATIENCE
        if step < 0 or records == 1:
            return 0, records
        size = max(1, records >> (step // 2 + 1))
        return (records - size, records) if step % 2 == 0 else (0, size)

    def passed(self, *, whole: bool) -> None:
        """The part was answered; `whole` when it was all of the batch."""
        if whole:
            self.failures, self.proven = 0, False
        else:
            self.failures, self.proven = PATIENCE, True

    def failed(self, records: int) -> bool:
        """The part failed again; True when the batch is one record and it alone is to blame."""
        self.failures += 1
        return records == 1 and self.proven and self.failures > PATIENCE + 1
