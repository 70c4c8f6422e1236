"""What the platform's answers mean for what was sent (`tesaiot`, 3.2 and 3.6).

A 200 is sent even when every record failed, and a captive portal answers 200 as well: only a JSON
body that names plausible indices is heard.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.cloud import BatchTooLarge, Misconfigured, Unauthorized
from agent.cloud.http.answer import Answer, failure
from agent.cloud.http.client import CutOff
from agent.errors import FieldpostError

OK = 200
# wraps any exception while storing: a poisonous record, or a database that went away meanwhile
STORING_FAILED = "Processing error"
REST_S = 30.0  # after a 500 that stored and lost its answer: each repeat makes duplicates
COLLISION = (
    "In the portal: is {device} active? Another device whose id begins with the same 8 letters"
    " also causes this"
)


@dataclass(frozen=True, slots=True)
class Results:
    """What became of each record of a batch, by index.

    Attributes:
        stored: all that are in the primary store.
        partly: those of them that are missing from the time series.
        refused: judged, with the platform's words.
        failed: not stored, and not judged either.
    """

    stored: frozenset[int]
    partly: frozenset[int]
    refused: dict[int, str]
    failed: dict[int, str]


def results(answer: Answer, sent: int) -> Results | None:
    """The receipt of a batch; None when nothing was heard."""
    document = answer.json()
    found = document.get("results") if isinstance(document, dict) else None
    if not isinstance(found, dict) or found.get("total") != sent:
        return None
    ids, errors = _entries(found.get("telemetry_ids")), _entries(found.get("errors"))
    named = [_index(entry) for entry in (*ids, *errors)]
    if len(set(named)) != len(named) or not set(named) <= set(range(sent)):
        return None
    texts = {_index(entry): str(entry.get("error", ""))[:200] for entry in errors}
    warned = _entries(found.get("warnings"))
    missing = {_index(entry) for entry in ids if entry.get("timeseries_stored") is False}
    stored = frozenset(_index(entry) for entry in ids)
    return Results(
        stored=stored,
        partly=stored & (missing | {_index(entry) for entry in warned}),
        refused={i: text for i, text in texts.items() if not text.startswith(STORING_FAILED)},
        failed={i: text for i, text in texts.items() if text.startswith(STORING_FAILED)},
    )


def stored_one(answer: Answer, device_id: str) -> bool:
    """Whether this answers that one record was stored."""
    document = answer.json()
    if answer.status != OK or not isinstance(document, dict):
        return False
    told = document.get("success") is True and document.get("telemetry_id")
    return bool(told) and document.get("device_id") == device_id


def code(answer: Answer) -> str:
    """The platform's code word of an error, wherever its body carries it."""
    document = answer.json()
    if not isinstance(document, dict):
        return ""
    error = document.get("error")
    nested = error.get("code") if isinstance(error, dict) else error
    found = document.get("code") or document.get("error_code") or nested or ""
    return str(found)


def problem(answer: Answer, host: str, device_id: str) -> FieldpostError | None:
    """What an answer other than 200 means; None for 200.

    The kind of body is looked at before the status: a proxy's HTML is not the platform's word.
    """
    if answer.status == OK:
        return None
    word, found = code(answer), failure(answer, host)
    if answer.status in (401, 403):
        found = _not_let_in(word, host, device_id, answer.status)
    elif word == "BATCH_TOO_LARGE":
        found = BatchTooLarge(answer.words())
    elif answer.json() is None:
        found = _not_the_platform(answer, host) or found
    return found


def storing_failed(answer: Answer) -> bool:
    """Whether the platform said of the whole request that storing it failed."""
    return answer.status == 500 and code(answer) == "PROCESSING_ERROR"  # noqa: PLR2004 -- RFC 9110


def healthy(answer: Answer) -> bool | None:
    """What the health probe says of the databases; None when there is no such probe here."""
    document = answer.json()
    databases = document.get("databases") if isinstance(document, dict) else None
    if not isinstance(databases, dict):
        return None
    return answer.status == OK and all(
        databases.get(name) is not False for name in ("mongodb", "timescaledb")
    )


def _not_let_in(word: str, host: str, device_id: str, status: int) -> FieldpostError:
    if word == "DEVICE_ID_MISMATCH":
        message = f"the credentials belong to another device than {device_id}"
        return Misconfigured(message, action="Use the bundle of this device")
    message = f"{host} does not accept the credentials ({status} {word})".replace(" )", ")")
    return Unauthorized(message, action=COLLISION.format(device=device_id))


def _not_the_platform(answer: Answer, host: str) -> FieldpostError | None:
    if answer.status == 400:  # noqa: PLR2004 -- what nginx says to a missing client certificate
        message = f"{host} has seen no certificate of ours"
        return Unauthorized(message, action="Is the certificate of the bundle still valid?")
    if answer.status == 500:  # noqa: PLR2004 -- stored already: the reply was lost in tear-down
        return CutOff(f"{host} has trouble with its database", retry_after_s=REST_S)
    if answer.status == 504:  # noqa: PLR2004 -- the proxy gave up; the server goes on storing
        return CutOff(f"{host} is too slow for its own proxy", retry_after_s=answer.retry_after_s)
    return None


def _entries(found: Any) -> Sequence[dict[str, Any]]:
    listed = found if isinstance(found, list) else []
    return [entry for entry in listed if isinstance(entry, dict)]


def _index(entry: dict[str, Any]) -> int:
    index = entry.get("index")
    return index if isinstance(index, int) else -1
