"""`kind: tesaiot`: the platform, through its batch endpoint or through mutual TLS.

With an API key: 50..200 records a request, a receipt for each, a heartbeat. With a certificate
only: one record a request and no heartbeat, because the platform's certificate listener has no
more; such a destination is slow, and says so through its limits.
"""

from collections.abc import Mapping, Sequence

from agent.clock import Clock, SystemClock
from agent.cloud import (
    Batch,
    Cloud,
    Ends,
    Limits,
    Misconfigured,
    Place,
    Receipt,
    Record,
    Unauthorized,
    Unreachable,
    Vitals,
)  # fmt: skip
from agent.cloud.tesaiot.account import Account, Pace
from agent.cloud.tesaiot.answers import problem
from agent.cloud.tesaiot.batches import Batches
from agent.cloud.tesaiot.opening import (
    Plan,
    account_with_certificate,
    account_with_key,
    read_bundle,
)
from agent.cloud.tesaiot.singles import Singles
from agent.errors import FieldpostError
from agent.plan import Json, from_json
from agent.secret import Secret

HEARTBEAT_PATH = "/api/v1/device/heartbeat"
OLDEST_S = 90 * 86_400.0  # older samples are refused (`tesaiot`, 3.4)
LATE_NS = 60 * 1_000_000_000  # a sample older than this has moved "last seen" into the past


class KeyCloud:
    """The platform, with API keys.

    Args:
        accounts: by field device for those that exist on the platform on their own; "" is the
            gateway's, for all others.
        beat_every_s: seconds between heartbeats.
    """

    def __init__(self, accounts: Mapping[str, Account], beat_every_s: float, clock: Clock) -> None:
        self._accounts = accounts
        self._batches = {name: Batches(account) for name, account in accounts.items()}
        self._beat_every_s = beat_every_s
        self._clock = clock
        self._vitals: Vitals | None = None
        self._backfilled = False

    @property
    def limits(self) -> Limits:
        """The smallest batch that any of its accounts takes at present."""
        size = min(batches.size for batches in self._batches.values())
        pace = next(iter(self._accounts.values())).pace
        return Limits(
            records=size,
            interval_s=pace.interval_s,
            trusted_time=True,
            deduplicates=False,
            oldest_s=OLDEST_S,
        )

    @property
    def beat_every_s(self) -> float:
        """Seconds between heartbeats."""
        return self._beat_every_s

    @property
    def place(self) -> Place:
        """The platform."""
        return self._accounts[""].client.place

    @property
    def wire_bytes(self) -> int:
        """What all accounts cost so far."""
        return sum(account.client.meter.total for account in self._accounts.values())

    @property
    def ends(self) -> Ends:
        """When the platform's certificate runs out."""
        return self._accounts[""].client.ends

    def account_of(self, device: str) -> str:
        """The id on the platform under which a device's samples go."""
        return self._accounts[self._name(device)].device_id

    async def send(self, batch: Batch) -> Receipt:
        """One request per account; an account that fails does not hold up the others."""
        receipts, errors = [], []
        for name, records in self._sorted(batch.records).items():
            try:
                receipts.append(await self._batches[name].send(records))
            except (Unauthorized, Misconfigured) as error:
                if len(self._accounts) == 1:
                    raise
                receipts.append(Receipt(shut_out=dict.fromkeys(records, error)))
            except FieldpostError as error:
                errors.append(error)
        if not receipts:
            raise errors[0]
        await self._repair_last_seen(batch)
        return _merged(receipts)

    async def beat(self, vitals: Vitals) -> None:
        """Say that every account lives; what data cannot say, and what repairs "last seen"."""
        self._vitals = vitals
        document = {
            "uptime": vitals.uptime_s,
            "firmware_version": vitals.version,
            "free_memory": vitals.free_memory_kb,
        }
        errors = []
        for account in self._accounts.values():
            try:
                await _beat(account, document)
            except FieldpostError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    async def aclose(self) -> None:
        """Close the connections."""
        for account in self._accounts.values():
            await account.client.aclose()

    def _sorted(self, records: Sequence[Record]) -> dict[str, dict[int, Record]]:
        found: dict[str, dict[int, Record]] = {}
        for index, record in enumerate(records):
            found.setdefault(self._name(record.device), {})[index] = record
        return found

    def _name(self, device: str) -> str:
        return device if device in self._accounts else ""

    async def _repair_last_seen(self, batch: Batch) -> None:
        """Old samples set the platform's "last seen" to their own time: beat when that is over."""
        newest = max(record.time_ns for record in batch.records)
        late = newest < self._clock.now().wall_ns - LATE_NS
        if self._backfilled and not late and self._vitals:
            try:
                await self.beat(self._vitals)
            except FieldpostError:
                return  # the next regular one repairs it as well
        self._backfilled = late


class CertificateCloud:
    """The platform, with a client certificate: one record a request."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._singles = Singles(account)

    @property
    def limits(self) -> Limits:
        """Few at a time, so that a stop or a fresh alarm need not wait long."""
        return Limits(records=20, trusted_time=True, deduplicates=False, oldest_s=OLDEST_S)

    @property
    def wire_bytes(self) -> int:
        """What it cost so far."""
        return self._account.client.meter.total

    @property
    def ends(self) -> Ends:
        """When our certificate and the platform's run out."""
        return self._account.client.ends

    @property
    def place(self) -> Place:
        """The platform."""
        return self._account.client.place

    async def send(self, batch: Batch) -> Receipt:
        """One request after the other."""
        return await self._singles.send(batch.records)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._account.client.aclose()


def open_cloud(_gateway: str, spec: Json, secrets: Mapping[str, Secret]) -> Cloud:
    """Make the destination from its bundle; nothing is sent yet.

    Raises:
        FieldpostError: the bundle cannot be used; the sentence says why.
    """
    return made(from_json(Plan, spec), secrets, Pace())


def made(plan: Plan, secrets: Mapping[str, Secret], pace: Pace) -> Cloud:
    """The destination of a plan, at a pace.

    Raises:
        FieldpostError: as `open_cloud`.
    """
    clock = SystemClock()
    bundle = read_bundle(secrets[plan.bundle], clock)
    if not bundle.api_key:
        return CertificateCloud(account_with_certificate(plan, bundle, secrets, pace))
    accounts = {"": account_with_key(plan, bundle, secrets, pace)}
    for device, name in plan.identities.items():
        own = read_bundle(secrets[name], clock)
        accounts[device] = account_with_key(plan, own, secrets, pace, own=True)
    return KeyCloud(accounts, plan.heartbeat_s, clock)


async def _beat(account: Account, document: Json) -> None:
    answer = await account.post(HEARTBEAT_PATH, document)
    if error := problem(answer, account.client.host, account.device_id):
        raise error
    if answer.json() is None:
        message = f"{account.client.host} answers, but not to the heartbeat"
        raise Unreachable(message)


def _merged(receipts: Sequence[Receipt]) -> Receipt:
    accepted = {index for receipt in receipts for index in receipt.accepted}
    refused = {index: text for receipt in receipts for index, text in receipt.refused.items()}
    shut_out = {index: why for receipt in receipts for index, why in receipt.shut_out.items()}
    return Receipt(accepted, refused, sum(receipt.partly for receipt in receipts), shut_out)
