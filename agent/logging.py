"""One sentence and its fields per event, as JSON lines; secrets never get in.

Fields stand beside the sentence, never in it. `event_type` is `<thing>.<what happened>`.
WARN: it recovers, nothing is lost. ERROR: data is lost or a person is needed.

Writing a line never fails and never waits: a journal that is gone or does not read costs lines, and
a storm of one event all but a few of them. How many are missing is told with the next one.
"""

import io
import logging
import os
import re
import select
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

# sd-daemon(3): `<N>` in front of a line on stderr is its journal priority
PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
TOKENS = re.compile(r"(tesa_[a-z]+_[\w-]+|fp_\w{8}_[\w-]+|(?<=//)[^/\s:@]+:[^/\s@]+(?=@))")


STANDARD_ERROR = 2
PIECE_BYTES = 4096  # PIPE_BUF: a pipe that is ready takes so much without waiting (pipe(7))
AT_ONCE = 50  # events of one type before they are limited: a plant where everything fails
EVERY_S = 10.0  # one of a type, once they are


class Output(io.RawIOBase):
    """Standard error, or nothing where it does not take a line at once.

    Attributes:
        unsaid: lines that were lost since the last one that was not.
    """

    def __init__(self, descriptor: int = STANDARD_ERROR) -> None:
        self.unsaid = 0
        self._descriptor = descriptor
        self._torn = False
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLOUT)

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, line: Any) -> int:
        """Write one line, or count it."""
        rest = memoryview(b"\n" * self._torn + bytes(line))
        try:
            while rest:
                if not self._ready.poll(0):
                    raise BlockingIOError
                rest = rest[os.write(self._descriptor, rest[:PIECE_BYTES]) :]
                self._torn = bool(rest)
        except OSError:
            self.unsaid += 1
        return memoryview(line).nbytes


class Limit(logging.Filter):
    """Lets so many events of each type through, and counts the others.

    Args:
        output: knows of lines that were lost on their way.
    """

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output
        self._allowed: dict[str, tuple[float, float]] = {}
        self._left_out: Counter[str] = Counter()

    def __call__(self, _logger: object, _name: str, event: EventDict) -> EventDict:
        """For events of ours; one that follows others left out says how many."""
        kind = str(event.get("event_type"))
        if not self._passes(kind):
            raise structlog.DropEvent
        missing = self._left_out.pop(kind, 0)
        if missing:
            event["left_out"] = missing
        if self._output.unsaid:
            event["unsaid"], self._output.unsaid = self._output.unsaid, 0
        return event

    def filter(self, record: logging.LogRecord) -> bool:
        """For the libraries', by their loggers."""
        return self._passes(record.name)

    def _passes(self, kind: str) -> bool:
        now_s = time.monotonic()
        left, since_s = self._allowed.get(kind, (AT_ONCE, now_s))
        left = min(AT_ONCE, left + (now_s - since_s) / EVERY_S)
        passes = left >= 1
        self._allowed[kind] = left - passes, now_s
        self._left_out[kind] += not passes
        return passes


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


def configure(level: int = logging.INFO, advice: Callable[[str], str] = str) -> None:
    """Send every event of ours and every warning of the libraries to standard error.

    Args:
        level: the lowest that is told.
        advice: makes of the `action` of an event what has to be typed here.
    """

    def advise(_logger: object, _name: str, event: EventDict) -> EventDict:
        action = event.get("action")
        return {**event, "action": advice(action)} if isinstance(action, str) else event

    output = Output()
    limit = Limit(output)
    stream: Any = output  # all that is asked of a file
    structlog.configure(
        processors=[limit, advise, *SHARED, _render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(io.TextIOWrapper(stream, write_through=True))
    handler.addFilter(limit)
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
