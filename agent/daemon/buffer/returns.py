"""Samples that a destination refused, on their second way out under the names they had.

They stay set aside, on the card and in every count, until the destination has said yes: then the
row goes and the count moves in one transaction. Refused again, they stay with the newer reason. So
a stop at any moment loses none and counts none twice.
"""

import json
from collections.abc import Awaitable, Callable, Sequence

from agent.cloud import Batch, Limits, Receipt, Record
from agent.daemon.buffer.model import Count, Cursor, Refused
from agent.daemon.buffer.shown import SetAside
from agent.errors import UnavailableError

Name = tuple[str, int]  # epoch and seq
Read = Callable[[str, int], Awaitable[Sequence[SetAside]]]


def set_aside(destination: str, record: Record, reason: str) -> Refused:
    """A record as it is kept when it was refused."""
    body = {
        "device": record.device,
        "time_ns": record.time_ns,
        "time": record.time,
        "values": dict(record.values),
    }
    return Refused(
        destination=destination,
        epoch=record.epoch,
        seq=record.seq,
        at_ms=record.time_ns // 1_000_000,
        reason=reason,
        readings=len(record.values),
        body=json.dumps(body),
    )


class Returns:
    """What one destination is to be sent again.

    Attributes:
        pending: there may be something.
    """

    def __init__(self, cursor: Cursor) -> None:
        self.pending = False
        self._cursor = cursor
        self._read: Read | None = None
        self._times_asked = 0
        self._interrupted = False
        self._out: set[Name] = set()
        self._answered: set[Name] = set()  # until the commit that takes their rows away

    def begin(self, read: Read) -> None:
        """There is something on the card: so many of a destination are had from `read`."""
        self._read = read
        self._times_asked += 1
        self.pending = True

    def forget(self) -> None:
        """Nothing of it is wanted any more; an answer to what is under way counts no more."""
        self.pending = False
        self._out.clear()

    def try_again(self) -> None:
        """The disk may answer again."""
        if self._interrupted:
            self._interrupted, self.pending = False, True

    async def take(self, limits: Limits) -> Batch | None:
        """The next batch of them; the same again until it is answered for."""
        asked = self._times_asked
        found = await self._found(limits.records)
        records: list[Record] = []
        readings = 0
        for record in found:
            readings += len(record.values)
            if records and (len(records) >= limits.records or readings > limits.readings):
                break
            records.append(record)
        if not records:
            self.pending = self.pending and asked != self._times_asked
            return None
        self._out |= {(record.epoch, record.seq) for record in records}
        return Batch(records)

    def settle(self, batch: Batch, receipt: Receipt) -> list[Refused]:
        """Count what was answered; returns the rows that are to be changed on the card."""
        if not self._out:
            return []
        changed = []
        for index in receipt.accepted:
            if record := self._answer(batch.records[index]):
                count = Count(1, len(record.values))
                self._cursor.rejected -= count
                self._cursor.delivered += count
                changed.append(gone(self._cursor.name, record.epoch, record.seq))
        for index, reason in receipt.refused.items():
            if record := self._answer(batch.records[index]):
                changed.append(set_aside(self._cursor.name, record, reason))
        return changed

    def _answer(self, record: Record) -> Record | None:
        name = (record.epoch, record.seq)
        if name not in self._out:
            return None
        self._out.discard(name)
        self._answered.add(name)
        return record

    async def _found(self, records: int) -> list[Record]:
        if self._read is None:
            return []
        try:
            rows = await self._read(self._cursor.name, records + len(self._answered))
        except UnavailableError:
            self._interrupted, self.pending = True, False
            return []
        self._answered &= {(row.epoch, row.seq) for row in rows}
        return [
            row.record
            for row in rows
            if row.record and row.record.values and (row.epoch, row.seq) not in self._answered
        ]


def gone(destination: str, epoch: str = "", seq: int = 0) -> Refused:
    """In place of a refused record: it is not set aside any more; without a name, none is."""
    return Refused(destination, epoch, seq, at_ms=0, reason="", readings=0, body="", gone=True)
