"""`kind: http`: batches as JSON to any server; only its echo of what it has is a receipt.

The document and the receipt are in `README.md` beside this.
"""

import gzip
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from agent.clock import iso
from agent.cloud import (
    Batch,
    BatchRefused,
    Ends,
    Limits,
    Place,
    Receipt,
    Record,
    TimeQuality,
    Unauthorized,
    Unreachable,
)
from agent.cloud.http.answer import Answer, failure, no_receipt
from agent.cloud.http.client import HttpClient, Post
from agent.cloud.suspicion import Suspicion
from agent.cloud.tls import Trust
from agent.plan import Json, from_json
from agent.secret import Secret, SecretError

VERSION = 1
DEADLINE_S = 60.0
RENEW = (
    "Is its token still valid? Store a new one with  fieldpost secret set {token}  and restart:"
    " sudo systemctl restart fieldpost"
)
FAILED = 500  # RFC 9110: an outage, or a record that the server cannot digest
GZIP_LEVEL = 6  # five times the CPU of level 1 for a tenth fewer bytes; one request a minute


@dataclass(frozen=True, slots=True)
class Plan:
    """What the settings of `kind: http` compile to; names of secrets, never secrets."""

    url: str
    token: str | None = None
    trust: Trust = field(default_factory=Trust)
    receipt: str = "echo"
    compress: bool = False


class HttpCloud:
    """Posts batches to one address.

    Args:
        gateway: `site.id`.
        plan: the compiled settings.
        client: of that address.
        token: the bearer token, if any.
        deadline_s: for one request and its answer.
    """

    def __init__(
        self,
        gateway: str,
        plan: Plan,
        client: HttpClient,
        token: str | None = None,
        *,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._deadline_s = deadline_s
        self._gateway = gateway
        self._plan = plan
        self._client = client
        self._headers = (("Authorization", f"Bearer {token}"),) if token else ()
        self._suspicion = Suspicion()

    @property
    def limits(self) -> Limits:
        """A thousand records make one request a minute out of most plants."""
        return Limits()

    @property
    def place(self) -> Place:
        """The server."""
        return self._client.place

    @property
    def wire_bytes(self) -> int:
        """What it cost so far."""
        return self._client.meter.total

    @property
    def ends(self) -> Ends:
        """When certificates run out."""
        return self._client.ends

    async def send(self, batch: Batch) -> Receipt:
        """Post the leading records of one epoch; the rest stays unanswered."""
        records = _one_epoch(batch.records)
        first, end = self._suspicion.part(len(records))
        part = records[first:end]
        answer = await self._client.send(self._request(part))
        if error := failure(answer, self._client.host):
            sizes = len(part), len(records)
            if answer.status == FAILED and self._suspicion.failed(part[0], *sizes):
                return Receipt(refused={first: answer.words()})
            if isinstance(error, Unauthorized) and self._plan.token:
                raise Unauthorized(error.message, action=RENEW.format(token=self._plan.token))
            if isinstance(error, BatchRefused) and len(part) < len(batch.records):
                raise Unreachable(error.message)  # of a part that was only tried: look closer
            raise error
        accepted = {first + index for index in self._received(part, answer)}
        self._suspicion.passed(whole=len(part) == len(batch.records))
        return Receipt(accepted, known=_known(answer.json(), part))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _request(self, records: Sequence[Record]) -> Post:
        body = orjson.dumps(document(self._gateway, records))
        digest = hashlib.sha256(body).hexdigest()[:8]
        numbers = f"{records[0].seq}-{records[-1].seq}"
        key = f"{records[0].epoch}:{numbers}:{digest}"
        headers = (("Content-Type", "application/json"), ("Idempotency-Key", key), *self._headers)
        if self._plan.compress:
            body = gzip.compress(body, GZIP_LEVEL, mtime=0)
            headers = (("Content-Encoding", "gzip"), *headers)
        return Post("", body, headers, deadline_s=self._deadline_s)

    def _received(self, records: Sequence[Record], answer: Answer) -> set[int]:
        if self._plan.receipt == "status":
            return set(range(len(records)))
        through = _echoed(answer.json(), records)
        if through is None:
            raise no_receipt(answer, self._client.host)
        return {index for index, record in enumerate(records) if record.seq <= through}


def document(gateway: str, records: Sequence[Record]) -> Json:
    """The body for records of one epoch."""
    return {
        "version": VERSION,
        "gateway": gateway,
        "epoch": records[0].epoch,
        "first": records[0].seq,
        "last": records[-1].seq,
        "count": len(records),
        "records": [_entry(record) for record in records],
    }


def open_cloud(gateway: str, spec: Json, secrets: Mapping[str, Secret]) -> HttpCloud:
    """Make the destination; nothing is sent yet.

    Raises:
        FieldpostError: a secret is missing or unusable.
    """
    plan = from_json(Plan, spec)
    trust = plan.trust
    client = HttpClient(plan.url, trust.context(secrets), own_ends_ns=trust.own_ends_ns(secrets))
    token = _token(secrets[plan.token]) if plan.token else None
    return HttpCloud(gateway, plan, client, token)


def _token(secret: Secret) -> str:
    token = secret.reveal()
    if not token or not token.isascii() or not token.isprintable():
        message = f"secret '{secret.name}' is empty, or is no token"
        raise SecretError(message, action=f"fieldpost secret set {secret.name}")
    return token


def _one_epoch(records: Sequence[Record]) -> list[Record]:
    first = records[0].epoch
    return list(itertools.takewhile(lambda record: record.epoch == first, records))


def _entry(record: Record) -> Json:
    quality = {} if record.time is TimeQuality.EXACT else {"quality": record.time.value}
    return {
        "seq": record.seq, "device": record.device, "time": iso(record.time_ns),
        "values": dict(record.values), **quality,
    }  # fmt: skip


def _echoed(document: Any, records: Sequence[Record]) -> int | None:
    """Through which number the server has what was sent; None when that is no receipt."""
    if not isinstance(document, dict) or document.get("epoch") != records[0].epoch:
        return None
    if isinstance(through := document.get("accepted_through"), int):
        return min(through, records[-1].seq)
    sent = {"first": records[0].seq, "last": records[-1].seq, "count": len(records)}
    return records[-1].seq if sent.items() <= document.items() else None


def _known(document: Any, records: Sequence[Record]) -> tuple[str, int] | None:
    """What it says it has beyond these records."""
    through = document.get("accepted_through") if isinstance(document, dict) else None
    if not isinstance(through, int) or through <= records[-1].seq:
        return None
    return (records[0].epoch, through) if document.get("epoch") == records[0].epoch else None
