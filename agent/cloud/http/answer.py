"""What came back over HTTP, bounded, and what its status means for the batch that was sent."""

import email.utils
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from agent.cloud import (
    BatchRefused,
    BatchTooLarge,
    Misconfigured,
    Overloaded,
    Unauthorized,
    Unreachable,
)
from agent.errors import FieldpostError

ANSWER_MAX = 1_000_000  # bytes, as received and again once unpacked; a receipt for 1000 is 200 kB
TEXT_MAX = 200  # characters of a server's words that are worth repeating
DAY_S = 86_400.0
FAILED = 500  # and above: the server's own trouble
TROUBLE = "The server itself is in trouble: tell whoever runs it"
BUSY = 503  # RFC 9110: with Retry-After a wish for less; without, an outage like any other


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response, read to its end.

    Attributes:
        media_type: lower case, without parameters.
        retry_after_s: seconds asked for, or None; never negative.
        location: where a redirect points, or None.
    """

    status: int
    media_type: str
    body: bytes
    retry_after_s: float | None = None
    location: str | None = None

    def json(self) -> Any:
        """The document, or None when this is not JSON: a portal, a proxy, a cut answer."""
        if not self.media_type.endswith("json"):
            return None
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    def words(self) -> str:
        """The server's own explanation, or its status when it gives none."""
        document = self.json()
        said = document if isinstance(document, dict) else {}
        error = said.get("error")
        nested = error.get("message") if isinstance(error, dict) else error
        text = nested or said.get("message") or said.get("detail") or f"HTTP {self.status}"
        return str(text)[:TEXT_MAX]


def failure(answer: Answer, host: str) -> FieldpostError | None:
    """What any HTTP server means by this status; None for 2xx."""
    group = answer.status // 100
    if group == 2:  # noqa: PLR2004 -- RFC 9110, section 15.3
        return None
    kind = _KINDS.get(answer.status) or _GROUPS.get(group, _unreachable)
    return kind(answer, host)


def no_receipt(answer: Answer, host: str) -> Unreachable:
    """What an answer of success is that proves no receipt: most often not the server's own."""
    if answer.media_type == "text/html":
        message = f"{host} answers with a web page, not with a receipt"
        action = "Is this the right address? Some networks want a login in a browser first"
        return Unreachable(message, action=action)
    message = f"{host} answers, but not with a receipt"
    action = "Is this the right address? Some networks answer in its place"
    return Unreachable(message, action=action)


def retry_after(header: str | None, now_s: float) -> float | None:
    """RFC 9110, 10.2.3: seconds or a date; nonsense is None.

    Args:
        header: the field's text.
        now_s: wall time, seconds since 1970.
    """
    if header is None:
        return None
    try:
        asked = float(header)
    except ValueError:
        date = email.utils.parsedate_to_datetime(header) if _dated(header) else None
        asked = date.timestamp() - now_s if date else -1.0
    # a wrong clock or a wrong header must not silence a gateway for years
    return asked if math.isfinite(asked) and 0 <= asked <= DAY_S else None


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its content coding, however much it claims to hold.

    Raises:
        Unreachable: an unknown coding, broken, or larger than `ANSWER_MAX` once unpacked.
    """
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        message = f"the answer is packed in a way we did not ask for ({encoding[:20]})"
        raise Unreachable(message)
    try:
        inflater = zlib.decompressobj(wbits=47)  # 32 + 15: zlib or gzip header, as it comes
        plain = inflater.decompress(body, ANSWER_MAX)
    except zlib.error as error:
        message = "the answer is broken"
        raise Unreachable(message) from error
    if inflater.unconsumed_tail:
        message = "the answer is larger than any receipt"
        raise Unreachable(message)
    return plain


def _dated(header: str) -> bool:
    return email.utils.parsedate(header) is not None


def _unreachable(answer: Answer, host: str) -> FieldpostError:
    if answer.status == BUSY and answer.retry_after_s is not None:
        return _too_much(answer, host)
    text = f"{host} answers HTTP {answer.status}"
    action = TROUBLE if answer.status >= FAILED else None
    return Unreachable(text, retry_after_s=answer.retry_after_s, action=action)


def _too_much(answer: Answer, host: str) -> FieldpostError:
    asked_s = answer.retry_after_s
    wish = "less often" if asked_s is None else f"to be asked again after {asked_s:.0f} s"
    text = f"{host} is busy and wants {wish} (HTTP {answer.status})"
    action = "Nothing has to be done here; if it stays so, tell whoever runs the server"
    return Overloaded(text, retry_after_s=asked_s, action=action)


def _unauthorized(answer: Answer, host: str) -> FieldpostError:
    message = f"{host} does not accept the credentials ({answer.status})"
    return Unauthorized(message, action="Is the token or certificate still valid?")


def _misplaced(answer: Answer, host: str) -> FieldpostError:
    message = f"{host} knows no such address ({answer.status})"
    return Misconfigured(message, action="Check `url:` of this destination")


def _not_taken(answer: Answer, host: str) -> FieldpostError:
    said = ", ".join(dict.fromkeys((answer.words(), f"HTTP {answer.status}")))
    message = f"{host} does not take what is sent there ({said})"
    action = "Check `url:` of this destination, and what its server expects there"
    return Misconfigured(message, action=action)


def _redirected(answer: Answer, host: str) -> FieldpostError:
    message = f"{host} sends us to another address ({(answer.location or 'unnamed')[:TEXT_MAX]})"
    action = "Credentials never follow a redirect: if it is right, write it as `url:`"
    return Misconfigured(message, action=action)


def _refused(answer: Answer, _host: str) -> FieldpostError:
    return BatchRefused(answer.words())


def _too_large(answer: Answer, _host: str) -> FieldpostError:
    return BatchTooLarge(answer.words())


_KINDS: dict[int, Callable[[Answer, str], FieldpostError]] = {
    400: _refused, 401: _unauthorized, 403: _unauthorized, 404: _misplaced, 405: _misplaced,
    410: _misplaced, 413: _too_large, 422: _refused, 408: _unreachable, 425: _unreachable,
    429: _too_much,
}  # fmt: skip
_GROUPS: dict[int, Callable[[Answer, str], FieldpostError]] = {
    3: _redirected, 4: _not_taken, 5: _unreachable
}  # fmt: skip
