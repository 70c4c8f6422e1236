"""What is not answered, and the envelope in which that is said (status-page-and-api 9)."""

import secrets
from collections.abc import Mapping
from enum import StrEnum

import orjson

from agent.clock import iso, wall_ns
from agent.errors import FieldpostError, ValidationError

API_VERSION = "1.0"


class Code(StrEnum):
    """The closed list of error codes over HTTP."""

    VALIDATION = "VALIDATION_ERROR"
    UNAUTHORIZED = "UNAUTHORIZED"
    CLOCK = "CLOCK_NOT_TRUSTED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    DEVICE = "DEVICE_NOT_FOUND"
    METHOD = "METHOD_NOT_ALLOWED"
    MISDIRECTED = "MISDIRECTED"
    RATE = "RATE_LIMITED"
    INTERNAL = "INTERNAL_ERROR"
    UNAVAILABLE = "AGENT_UNAVAILABLE"


STATUS = {
    Code.VALIDATION: 400, Code.UNAUTHORIZED: 401, Code.CLOCK: 401, Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404, Code.DEVICE: 404, Code.METHOD: 405, Code.MISDIRECTED: 421,
    Code.RATE: 429, Code.INTERNAL: 500, Code.UNAVAILABLE: 503,
}  # fmt: skip


class Refusal(FieldpostError):
    """A request that is not served.

    Args:
        code: of the list above.
        message: one sentence, the same for a stranger whatever the reason.
        headers: to send along.
        details: `field` and `reason`.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.word = code
        self.headers = dict(headers or {})
        self.details = dict(details) if details else None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.word]


def unauthorized() -> Refusal:
    """The one answer for tokens that are missing, unknown, wrong, expired or revoked."""
    return Refusal(
        Code.UNAUTHORIZED,
        "A valid token is needed. Make one on the gateway: fieldpost token add NAME --role viewer",
        headers={"WWW-Authenticate": "Bearer"},
    )


def of(error: FieldpostError) -> Refusal:
    """What an error of the daemon becomes over HTTP."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, ValidationError):
        details = {"field": error.field, "reason": error.reason}
        return Refusal(Code.VALIDATION, error.message, details=details)
    if error.code not in set(Code):
        return Refusal(Code.INTERNAL, "Something went wrong here; the log has it.")
    return Refusal(Code(error.code), error.message)


def envelope(refusal: Refusal, request_id: str) -> bytes:
    """The body."""
    error = {"code": refusal.word, "message": refusal.message}
    details = {"details": refusal.details} if refusal.details else {}
    meta = {"timestamp": stamp(), "request_id": request_id}
    return orjson.dumps({"success": False, "error": error | details, "meta": meta})


def stamp() -> str:
    """Now, as every answer carries it: whole seconds, UTC."""
    return iso(wall_ns())[:19] + "Z"


def new_request_id() -> str:
    """An id for a request that brought none."""
    return f"req_{secrets.token_hex(6)}"
