"""The socket's protocol: one JSON object per line, and what an error of the daemon becomes here.

A request is `{"id": 7, "verb": "status", "args": {}}`. Its answer has the same id and either
`"ok": true` with `data` or `"ok": false` with `error`. A stream answers with many lines of that id,
the last of them with `"end": true`.
"""

import errno
import os
from pathlib import Path
from typing import cast

import orjson

from agent.errors import (
    BusyError,
    DeviceNotFoundError,
    FieldpostError,
    ForbiddenError,
    NoAnswerError,
    NotFoundError,
    NotWritableError,
    UnavailableError,
    ValidationError,
)
from agent.plan import Json

ANSWER_BYTES_MAX = (
    16_000_000  # far above any answer; keeps a stranger on the socket from filling RAM
)
ANSWER_WITHIN_S = 10.0  # a device may take its time; the status page asks for less

_CODES: dict[str, type[FieldpostError]] = {
    kind.code: kind
    for kind in (
        BusyError,
        DeviceNotFoundError,
        ForbiddenError,
        NoAnswerError,
        NotFoundError,
        NotWritableError,
        UnavailableError,
    )
}


def request(verb: str, args: Json | None) -> bytes:
    """The line that asks for one verb."""
    return orjson.dumps({"id": 1, "verb": verb, "args": args or {}}) + b"\n"


def answer(line: bytes) -> Json:
    """One line of the daemon, taken apart.

    Raises:
        FieldpostError: what the daemon said instead of an answer, or that it is no answer.
    """
    if not line.endswith(b"\n"):
        raise silent()
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        message = "What listens on the socket does not speak as fieldpost does."
        raise UnavailableError(message) from error
    if not isinstance(read, dict) or not read.get("ok"):
        raise _error(read)
    return cast("Json", read)


def silent() -> UnavailableError:
    """The daemon took the question and said nothing."""
    return UnavailableError(
        "The fieldpost daemon does not answer.",
        action="See what it said last: journalctl -u fieldpost -n 20   "
        "(start it again: sudo systemctl restart fieldpost)",
    )


def unreachable(path: Path, error: OSError) -> FieldpostError:
    """Why the socket cannot be used, in words and with the way out."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        return ForbiddenError(
            f"You may not talk to the fieldpost daemon at {path}.",
            action=f"Use sudo, or join its group: sudo usermod -aG fieldpost {_user()}",
        )
    return UnavailableError(
        f"The fieldpost daemon is not running (nothing listens at {path}).",
        action="Start it: sudo systemctl start fieldpost   (by hand: fieldpost run)",
    )


def _user() -> str:
    return os.environ.get("USER") or "NAME"


def _error(read: object) -> FieldpostError:
    said = read.get("error") if isinstance(read, dict) else None
    if not isinstance(said, dict):
        return silent()
    code, message = str(said.get("code")), str(said.get("message"))
    if code == ValidationError.code:
        details = said.get("details") or {}
        return ValidationError(
            str(details.get("field", "")), str(details.get("reason", "")), message
        )
    return _CODES.get(code, FieldpostError)(message, action=said.get("action"))
