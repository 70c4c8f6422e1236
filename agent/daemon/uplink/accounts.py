"""Accounts of one destination that are not let in, while others are.

What belongs to them is kept and left out of the batches, so that it holds up nobody; nothing of it
is sent out of turn. Every few minutes, because a person has to act, one request shows whether an
account is let in again.
"""

from collections.abc import Callable, Mapping

from agent.clock import Clock
from agent.cloud import Batch, Divided, Receipt
from agent.daemon.uplink.retry import person_s
from agent.errors import FieldpostError


class Accounts:
    """Who is shut out at present.

    Attributes:
        takes: whether a device's records may be taken; None: all may.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_s: dict[str, float] = {}
        self._reasons: dict[str, FieldpostError] = {}
        self._out: frozenset[str] = frozenset()
        self.takes: Callable[[str], bool] | None = None

    @property
    def reasons(self) -> Mapping[str, FieldpostError]:
        """Why each of them is not let in, also while it is asked again."""
        return self._reasons

    def learn(self, cloud: object, batch: Batch, receipt: Receipt) -> None:
        """Take note of who was let in by this receipt and who was not."""
        if not isinstance(cloud, Divided):
            return
        for index in (*receipt.accepted, *receipt.refused):
            self._reasons.pop(cloud.account_of(batch.records[index].device), None)
        until_s = self._clock.monotonic_s() + person_s()
        for index, why in receipt.shut_out.items():
            account = cloud.account_of(batch.records[index].device)
            self._reasons[account] = why
            self._until_s.setdefault(account, until_s)
        self._choose(cloud)

    def look(self, cloud: object) -> bool:
        """Let those be tried again whose time has come; returns whether there are any."""
        now_s = self._clock.monotonic_s()
        due = [account for account, until_s in self._until_s.items() if until_s <= now_s]
        for account in due:
            del self._until_s[account]
        if due and isinstance(cloud, Divided):
            self._choose(cloud)
        return bool(due)

    def hurry(self) -> None:
        """Let all of them be tried again with the next look."""
        self._until_s = dict.fromkeys(self._until_s, 0.0)

    def _choose(self, cloud: Divided) -> None:
        out = frozenset(self._until_s)
        if out != self._out:
            self._out = out
            self.takes = (lambda device: cloud.account_of(device) not in out) if out else None
