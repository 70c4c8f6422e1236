"""The single-record endpoint: all that the platform offers to a client certificate."""

from collections.abc import Sequence

from agent.cloud import BatchRefused, Receipt, Record, Unreachable
from agent.cloud.http.answer import no_receipt
from agent.cloud.suspicion import Suspicion
from agent.cloud.tesaiot.account import Account
from agent.cloud.tesaiot.answers import problem, stored_one, storing_failed
from agent.cloud.tesaiot.batches import NOTHING_LEFT
from agent.errors import FieldpostError
from agent.plan import Json

PATH = "/api/v1/telemetry"
FAILURES_MAX = 2  # in one batch: then it is the platform and not the records


class Singles:
    """Sends the records of one account, one by one."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._suspicion = Suspicion()

    async def send(self, records: Sequence[Record]) -> Receipt:
        """Send until all are answered or the platform stops answering.

        A record that cannot be stored is left behind while the others go on; when it fails again
        and again while others are stored, it is to blame.

        Raises:
            FieldpostError: as `Cloud.send`, when not one record was answered.
        """
        accepted: set[int] = set()
        refused: dict[int, str] = {}
        failures: list[FieldpostError] = []
        for index, record in enumerate(records):
            try:
                await self._store(record)
            except BatchRefused as error:
                refused[index] = error.message
            except FieldpostError as error:
                failures.append(error)
                if self._is_to_blame(error, record, len(records)):
                    refused[index] = error.message
                elif not isinstance(error, NotStored) or len(failures) >= FAILURES_MAX:
                    break
            else:
                accepted.add(index)
                self._suspicion.passed(whole=len(accepted) == len(records))
        if failures and not accepted and not refused:
            raise failures[0]
        return Receipt(accepted, refused)

    def _is_to_blame(self, error: FieldpostError, record: Record, waiting: int) -> bool:
        return isinstance(error, NotStored) and self._suspicion.failed(record, 1, waiting)

    async def _store(self, record: Record) -> None:
        if self._account.in_future(record):
            message = "what waits is stamped later than this gateway's clock"
            raise Unreachable(message, action="fieldpost doctor gateway")
        entry = self._account.encode(record)
        if entry is None:
            raise BatchRefused(NOTHING_LEFT)
        await self._post(entry)

    async def _post(self, entry: Json) -> None:
        answer = await self._account.post(PATH, entry)
        host, device_id = self._account.client.host, self._account.device_id
        if storing_failed(answer):
            raise NotStored(answer.words())
        if error := problem(answer, host, device_id):
            raise error
        if not stored_one(answer, device_id):
            raise no_receipt(answer, host)


class NotStored(Unreachable):
    """The platform tried to store one record and failed: an outage, or this record."""
