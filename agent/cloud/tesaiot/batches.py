"""The batch endpoint for one account: a receipt per record, careful with what may be stored.

The platform deduplicates nothing, so a repeat is visible to its users. Hence small batches, a long
deadline, and a look at its databases before anything is sent again that may have been stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.cloud import BatchRefused, BatchTooLarge, Receipt, Record, Unreachable
from agent.cloud.http.answer import Answer, no_receipt
from agent.cloud.http.client import CutOff
from agent.cloud.suspicion import Suspicion
from agent.cloud.tesaiot.account import Account
from agent.cloud.tesaiot.answers import Results, problem, results, storing_failed
from agent.errors import FieldpostError
from agent.plan import Json

PATH = "/api/v1/telemetry/batch"
SIZE_MAX = 200  # about 4 s of the platform's work
SIZE_MIN = 10
GROWTH = 10  # slowly: a batch that takes too long costs a minute and duplicates
TRIES = 2  # of a record that failed to be stored while others were
REMEMBERED = 1000  # records under suspicion; more of them are an outage
NOTHING_LEFT = "nothing in it that the platform can store (whole numbers beyond 63 bits)"


@dataclass(frozen=True, slots=True)
class Parcel:
    """What of a batch can be sent: entries, and the indices they have in it."""

    indices: Sequence[int]
    records: Sequence[Record]
    entries: Sequence[Json]
    refused: Mapping[int, str] = field(default_factory=dict)

    def cut(self, first: int, end: int) -> "Parcel":
        """A part of it."""
        part = slice(first, end)
        return Parcel(self.indices[part], self.records[part], self.entries[part], self.refused)


class Batches:
    """Sends the records of one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._suspicion = Suspicion()
        self._failures: dict[tuple[str, int], int] = {}
        self._may_be_stored = False
        self.size = SIZE_MAX

    async def send(self, records: Mapping[int, Record]) -> Receipt:
        """Send as many of these as one request may hold; the rest stays unanswered.

        Raises:
            FieldpostError: as `Cloud.send`.
        """
        whole = self._parcel(records)
        if not whole.entries:
            return Receipt(refused=whole.refused) if whole.refused else self._all_in_future()
        if self._may_be_stored:
            await self._look_first()
        full = whole.cut(0, self.size)
        part = full.cut(*self._suspicion.part(len(full.entries)))
        answer = await self._request(part, alone=len(part.entries) == len(records))
        if storing_failed(answer):
            return await self._storing_failed(part, len(full.entries), answer)
        found = results(answer, len(part.entries))
        if found is None:
            raise no_receipt(answer, self._account.client.host)
        self._suspicion.passed(whole=len(part.entries) == len(full.entries))
        self.size = min(SIZE_MAX, self.size + GROWTH)
        return await self._receipt(part, found)

    def _parcel(self, records: Mapping[int, Record]) -> Parcel:
        indices, kept, entries, refused = [], [], [], {}
        for index, record in records.items():
            if self._account.in_future(record):
                continue
            if (entry := self._account.encode(record)) is None:
                refused[index] = NOTHING_LEFT
                continue
            indices.append(index)
            kept.append(record)
            entries.append(entry)
        return Parcel(indices, kept, entries, refused)

    def _all_in_future(self) -> Receipt:
        message = "all that waits is stamped later than this gateway's clock"
        raise Unreachable(message, action="fieldpost doctor gateway")

    async def _look_first(self) -> None:
        if await self._account.healthy() is False:
            message = f"{self._account.client.host} cannot reach its database"
            raise Unreachable(message)
        self._may_be_stored = False

    async def _request(self, part: Parcel, *, alone: bool) -> Answer:
        try:
            answer = await self._account.post(PATH, {"telemetry": part.entries})
            host, device_id = self._account.client.host, self._account.device_id
            error = None if storing_failed(answer) else problem(answer, host, device_id)
            if error:
                raise self._judged(error, part, alone=alone)
        except CutOff:
            self._may_be_stored = True
            self.size = max(SIZE_MIN, self.size // 2)
            raise
        return answer

    def _judged(self, error: FieldpostError, part: Parcel, *, alone: bool) -> FieldpostError:
        if isinstance(error, BatchTooLarge) and len(part.entries) > 1:
            self.size = max(1, len(part.entries) // 2)
            return Unreachable(error.message, retry_after_s=self._account.pace.interval_s)
        if isinstance(error, BatchRefused) and not alone:
            return Unreachable(error.message)  # a part was only tried: it decides nothing
        return error

    async def _storing_failed(self, part: Parcel, whole: int, answer: Answer) -> Receipt:
        """The request as a whole failed: one record in it, or the platform."""
        blamed = self._suspicion.failed(part.records[0], len(part.entries), whole)
        if blamed and await self._account.healthy():
            return Receipt(refused={part.indices[0]: answer.words()})
        message = f"{self._account.client.host} could not store what was sent"
        raise Unreachable(message)

    async def _receipt(self, part: Parcel, found: Results) -> Receipt:
        refused = dict(part.refused)
        for place, text in found.refused.items():
            refused[part.indices[place]] = text
        for place in await self._blamed(part, found):
            refused[part.indices[place]] = found.failed[place]
        accepted = {part.indices[place] for place in found.stored}
        for place in found.stored:
            self._failures.pop(_key(part.records[place]), None)
        if not accepted and not refused:
            text = next(iter(found.failed.values()), "it names no record")
            message = f"{self._account.client.host} could store nothing ({text})"
            raise Unreachable(message)
        return Receipt(accepted, refused, len(found.partly))

    async def _blamed(self, part: Parcel, found: Results) -> set[int]:
        """Those that failed again while the platform is able to store."""
        again = set()
        for place in found.failed:
            key = _key(part.records[place])
            if len(self._failures) < REMEMBERED:
                self._failures[key] = self._failures.get(key, 0) + 1
            if self._failures.get(key, 0) >= TRIES:
                again.add(place)
        if again and (found.stored or await self._account.healthy()):
            for place in again:
                self._failures.pop(_key(part.records[place]), None)
            return again
        return set()


def _key(record: Record) -> tuple[str, int]:
    return record.epoch, record.seq
