"""Answers in the envelope, with an ETag over what is not an age."""

import hashlib
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from agent.plan import Json
from agent.status.envelope import Model
from agent.status.gate import Passed
from agent.status.refusal import API_VERSION, Code, Refusal, stamp

# what changes with every look although nothing has happened
AGES = frozenset(
    {"age_s", "last_ack_age_s", "uptime_s", "boot_uptime_s", "time", "load_1min", "next_try_s",
     "drain_s", "room_s", "left_s", "available_bytes", "agent_rss_bytes", "memory"}
)  # fmt: skip
ANSWER_MAX = 2_000_000  # bytes
JSON = "application/json"


def passed(request: Request) -> Passed:
    """What the gate found out about this request."""
    found: Passed = request.state.passed
    return found


def meta(request: Request, **more: Any) -> Json:
    """`meta` of an answer."""
    stamps = {"timestamp": stamp(), "version": API_VERSION}
    return {**stamps, "request_id": passed(request).request_id, **more}


def wrapped(request: Request, data: Any, kind: type[Model], **more: Any) -> Response:
    """The envelope around `data`, held against its model."""
    body = kind.model_validate({"success": True, "data": data, "meta": meta(request, **more)})
    return sized(body.model_dump_json(exclude_unset=True).encode())


def tagged(request: Request, data: Any, kind: type[Model], **more: Any) -> Response:
    """As `wrapped`, with an ETag; 304 when the client has it already."""
    tag = f'"{hashlib.sha256(orjson.dumps(_ageless(data))).hexdigest()[:16]}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": tag})
    answer = wrapped(request, data, kind, **more)
    answer.headers["ETag"] = tag
    return answer


def sized(body: bytes) -> Response:
    """A body within the limit.

    Raises:
        Refusal: it is too large; a smaller `limit` or one `point` helps.
    """
    if len(body) > ANSWER_MAX:
        message = "The answer is too large: ask for less with limit= or point=."
        details = {"field": "limit", "reason": "answer too large"}
        raise Refusal(Code.VALIDATION, message, details=details)
    return Response(body, media_type=JSON)


def _ageless(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _ageless(value) for key, value in data.items() if key not in AGES}
    if isinstance(data, list):
        return [_ageless(item) for item in data]
    return data
