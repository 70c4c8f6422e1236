"""One sentence and its fields per event, as JSON lines; secrets never get in.

Fields stand beside the sentence, never in it. `event_type` is `<thing>.<what happened>`.
WARN: it recovers, nothing is lost. ERROR: data is lost or a person is needed.
"""

import logging
import os
import re
import sys
from typing import cast

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

# sd-daemon(3): `<N>` in front of a line on stderr is its journal priority
PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
TOKENS = re.compile(r"(tesa_[a-z]+_[\w-]+|fp_\w{8}_[\w-]+|(?<=//)[^/\s:@]+:[^/\s@]+(?=@))")


def scrub(_logger: object, _name: str, event: EventDict) -> EventDict:
    """Blot out what looks like a credential in any text of the event."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = TOKENS.sub("********", value)
    return event


def _named(_logger: object, _name: str, event: EventDict) -> EventDict:
    event["message"] = event.pop("event")
    return event


def _render(_logger: object, _name: str, event: EventDict) -> bytes:
    journal = b"<%d>" % PRIORITY[event["level"]] if "JOURNAL_STREAM" in os.environ else b""
    return journal + orjson.dumps(event, default=str)


def _render_text(logger: object, name: str, event: EventDict) -> str:
    return _render(logger, name, event).decode()


SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # show_locals=False: a traceback with local variables would print passwords
    structlog.processors.ExceptionRenderer(
        structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=10)
    ),
    _named,
    scrub,
]


def configure(level: int = logging.INFO) -> None:
    """Send every event of ours and every warning of the libraries to standard error."""
    structlog.configure(
        processors=[*SHARED, _render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render_text],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # pymodbus dumps its last twenty frames with every error; ours is one line
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


def get(name: str) -> FilteringBoundLogger:
    """The logger of one room; `name` becomes the field `room`."""
    return cast("FilteringBoundLogger", structlog.get_logger(room=name))
