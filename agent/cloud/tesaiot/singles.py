"""The single-record endpoint: all that the platform offers to a client certificate."""

from collections.abc import Sequence

from agent.cloud import BatchRefused, Receipt, Record, Unreachable
from agent.cloud.tesaiot.account import Account
from agent.cloud.tesaiot.answers import problem, stored_one, storing_failed
from agent.cloud.tesaiot.batches import NOTHING_LEFT
from agent.errors import FieldpostError
from agent.plan import Json

PATH = "/api/v1/telemetry"
TRIES = 2  # of a record that failed to be stored while others were
FAILURES_MAX = 2  # in a row: then it is the platform and not the records


class Singles:
    """Sends the records of one account, one by one."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._failures: dict[tuple[str, int], int] = {}

    async def send(self, records: Sequence[Record]) -> Receipt:
        """Send until all are answered or the platform stops answering.

        A record that cannot be stored is left behind while the others go on. Once it has failed
        twice with one stored in between, it is to blame.

        Raises:
            FieldpostError: as `Cloud.send`, when not one record was answered.
        """
        accepted: set[int] = set()
        refused: dict[int, str] = {}
        failed: dict[int, FieldpostError] = {}
        for index, record in enumerate(records):
            try:
                accepted |= await self._one(index, record, refused)
            except BatchRefused as error:
                refused[index] = error.message
            except FieldpostError as error:
                failed[index] = error
                if not isinstance(error, NotStored) or len(failed) >= FAILURES_MAX:
                    break
        if accepted:
            refused |= self._blamed(records, failed)
        if failed and not accepted and not refused:
            raise next(iter(failed.values()))
        return Receipt(accepted, refused)

    async def _one(self, index: int, record: Record, refused: dict[int, str]) -> set[int]:
        if self._account.in_future(record):
            message = "it is stamped later than this gateway's clock"
            raise NotStored(message)
        entry = self._account.encode(record)
        if entry is None:
            refused[index] = NOTHING_LEFT
            return set()
        await self._store(entry)
        self._failures.pop((record.epoch, record.seq), None)
        return {index}

    async def _store(self, entry: Json) -> None:
        answer = await self._account.post(PATH, entry)
        host, device_id = self._account.client.host, self._account.device_id
        if storing_failed(answer):
            raise NotStored(answer.words())
        if error := problem(answer, host, device_id):
            raise error
        if not stored_one(answer, device_id):
            message = f"{host} answers, but not with a receipt"
            raise Unreachable(message)

    def _blamed(
        self, records: Sequence[Record], failed: dict[int, FieldpostError]
    ) -> dict[int, str]:
        blamed = {}
        for index, error in failed.items():
            if not isinstance(error, NotStored):
                continue
            key = records[index].epoch, records[index].seq
            self._failures[key] = self._failures.get(key, 0) + 1
            if self._failures[key] >= TRIES:
                blamed[index] = error.message
                del self._failures[key]
        return blamed


class NotStored(Unreachable):
    """The platform tried to store one record and failed: an outage, or this record."""
