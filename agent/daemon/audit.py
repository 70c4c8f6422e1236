"""The audit log: who changed what, on this card, so that a later change of it is noticed.

Each line is JSON with the hash of the line before and its own (SHA-256), so a line that is changed,
added or removed breaks the chain. Invariants: it has its full size from the start, the one old file
included, so a full disk does not silence it; it is written in place and synced line by line; full,
it becomes the old file, and the old one, emptied, the next; what cannot be written now is tried
again with the next line; more than 60 lines a minute are counted, not written.
Whoever owns the machine can write a whole new chain: the log of the system has every line too.
"""

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from agent import logging
from agent.clock import Clock, iso
from agent.daemon.conversation import Peer, Result
from agent.daemon.durable import sync
from agent.plan import Json

FILE_NAME, OLD_NAME, NEXT_NAME = "audit.log", "audit.old.log", "audit.next.log"
MODE = 0o600
SIZE_BYTES = 512 * 1024  # about 2000 lines, twice
TEXT_LENGTH_MAX = 200  # of one argument: a whole configuration stands here as its SHA-256
DETAIL_LENGTH_MAX = 300  # of the sentence that says why not
LINES_A_MINUTE = 60
WINDOW_S = 60.0
NEWEST = 200  # lines kept at hand for the API
START = "0" * 64  # the hash before the first line

log = logging.get("audit")


@dataclass(slots=True)
class _Chain:
    """Where the next line goes, and what it continues."""

    end: int = 0
    number: int = 0
    hash: str = START
    broken: int | None = None
    lines: deque[Json] = field(default_factory=lambda: deque(maxlen=NEWEST))

    def take(self, line: Json, length: int) -> None:
        """Go on behind this line."""
        self.end += length
        self.number, self.hash = line["number"], line["hash"]
        self.lines.append(line)

    def holds(self, line: Json) -> bool:
        """Whether this line is what was written, where it was written."""
        follows = line.get("before") == self.hash and line.get("number") == self.number + 1
        return line.get("hash") == _hash(line) and (follows or not self.lines)


class Audit:
    """The audit log of one state directory.

    Args:
        state: the state directory.
        clock: stamps the lines and paces them.
    """

    def __init__(self, state: Path, clock: Clock) -> None:
        self._path = state / FILE_NAME
        self._old = state / OLD_NAME
        self._next = state / NEXT_NAME  # there while the two change places
        self._clock = clock
        self._chain = _Chain()
        self._recent: deque[float] = deque(maxlen=LINES_A_MINUTE)
        self._skipped = 0
        self._file: int | None = None
        self._is_open = False

    def open(self) -> None:
        """Take up the chain where it ends; a broken one is said and continued.

        A card that takes no file is said as well, and is no reason not to start.
        """
        self._is_open = True
        self._take_up()
        if self._chain.broken is not None:
            log.error(
                "The audit log was changed behind our back.",
                event_type="audit.broken",
                line=self._chain.broken,
            )
            self.note("fieldpost", "audit.broken", {"line": self._chain.broken}, "ok")

    def close(self) -> None:
        """Let go of the file; every line is on the card already."""
        self._is_open = False
        self._let_go()

    def asked(self, peer: Peer, verb: str, args: Json, result: Result) -> None:
        """Write down what a client of the socket did."""
        self.note(f"uid {peer.uid}", verb, args, result.code, result.detail)

    def note(
        self, who: str, what: str, facts: Mapping[str, object], result: str, detail: str = ""
    ) -> None:
        """Write one line, or count it when too many come.

        Args:
            who: did it: `uid 1000`, `token kitchen-tablet`, `fieldpost`.
            what: the verb or event: `token.add`, `login`.
            facts: its arguments; never a secret.
            result: `ok` or an error code.
            detail: why, in a sentence; never a secret.
        """
        now_s = self._clock.monotonic_s()
        if len(self._recent) == LINES_A_MINUTE and now_s - self._recent[0] < WINDOW_S:
            self._skipped += 1
            return
        self._recent.append(now_s)
        if self._is_open and self._file is None:
            self._take_up()
        line: Json = {
            "number": self._chain.number + 1,
            "before": self._chain.hash,
            "time": iso(self._clock.now().wall_ns),
            "who": who,
            "what": what,
            "facts": {key: _short(value) for key, value in facts.items()},
            "result": result,
        }
        if detail:
            line["detail"] = detail[:DETAIL_LENGTH_MAX]
        if self._skipped:
            line["skipped_before"], self._skipped = self._skipped, 0
        log.info(f"For the record: {what}.", event_type="audit.line", **line)
        self._write(line)

    def newest(self) -> Sequence[Json]:
        """The last 200 lines, oldest first."""
        return tuple(self._chain.lines)

    def _take_up(self) -> None:
        """Find the end of the chain, and take all the room it may ever need."""
        try:
            self._put_right()
            self._chain = _read(self._old, self._path)
            self._file = _allocated(self._path)
        except OSError as error:
            _cannot_write(error)
        with suppress(OSError):  # there is time: it is needed when this one is full
            os.close(_allocated(self._old))

    def _write(self, line: Json) -> None:
        if self._file is None:
            return
        line["hash"] = _hash(line)
        text = orjson.dumps(line) + b"\n"
        try:
            file = self._file
            if self._chain.end + len(text) > SIZE_BYTES:
                file = self._turn_over()
            os.pwrite(file, text, self._chain.end)
            os.fdatasync(file)
        except OSError as error:
            _cannot_write(error)
            self._let_go()
        else:
            self._chain.take(line, len(text))

    def _turn_over(self) -> int:
        """Let the two files change places, which takes no room; returns the one to write to."""
        emptied = _allocated(self._old)
        try:
            os.pwrite(emptied, bytes(SIZE_BYTES), 0)
            os.fdatasync(emptied)
            self._old.replace(self._next)
            self._path.replace(self._old)
            self._put_right()
        except OSError:
            os.close(emptied)
            raise
        self._let_go()
        self._file, self._chain.end = emptied, 0
        return emptied

    def _put_right(self) -> None:
        """Finish a turn-over, also one that a power cut broke off."""
        if self._next.exists():
            self._next.replace(self._old if self._path.exists() else self._path)
            sync(self._path.parent)

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _cannot_write(error: OSError) -> None:
    log.error(
        "The audit log cannot be written; its lines stand in the log of the system only.",
        event_type="audit.failed",
        reason=error.strerror,
    )


def _allocated(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
    try:
        os.posix_fallocate(file, 0, SIZE_BYTES)
    except OSError:
        os.close(file)
        raise
    return file


def _read(*paths: Path) -> _Chain:
    """The chain through these files, the oldest first."""
    chain = _Chain()
    for path in paths:
        chain.end = 0
        for text in _texts(path):
            line = _line(text)
            if line is None or not chain.holds(line):
                chain.broken = chain.broken or chain.number + 1
            if line is not None and isinstance(line.get("hash"), str):
                chain.take(line, len(text))
            else:
                chain.end += len(text)
    return chain


def _texts(path: Path) -> Iterator[bytes]:
    """Every whole line; what a power cut left of the last one is written over."""
    content = path.read_bytes() if path.exists() else b""
    yield from (
        text for text in content.rstrip(b"\0").splitlines(keepends=True) if text[-1:] == b"\n"
    )


def _line(text: bytes) -> Json | None:
    try:
        read = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return read if isinstance(read, dict) and isinstance(read.get("number"), int) else None


def _hash(line: Mapping[str, object]) -> str:
    content = {key: value for key, value in line.items() if key != "hash"}
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _short(value: object) -> Any:
    text = value if isinstance(value, str) else ""
    if len(text) <= TEXT_LENGTH_MAX:
        return value
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
