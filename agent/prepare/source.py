"""A file as text: bytes checked, lines kept, so that every problem can be shown in place."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.prepare.kinds import Problem

LARGEST_BYTES: Final = 256_000
# C0, DEL and C1, line ends YAML knows and editors do not, marks that reorder or hide text
FOREIGN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069"
    "\ud800-\udfff\ufeff\ufffe\uffff]|\r(?!\n)"
)
_WIDE_INDENT: Final = re.compile("^[ \t]*[\u00a0\u3000]", re.MULTILINE)
_GLUED: Final = re.compile(r"( *)([a-z][a-z0-9_-]*):([^\s:/,{}\[\]].*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mark:
    """A token of a file: line and column count from 1, in characters."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True, slots=True)
class Source:
    """One file that was read.

    Attributes:
        path: as the user wrote it; what messages begin with.
        sha256: hex, of the bytes.
        lines: without line ends.
    """

    path: Path
    sha256: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Located:
    """A problem and where it stands: a place, a whole file, or neither (the environment)."""

    problem: Problem
    source: Source | None = None
    mark: Mark | None = None


class BrokenFileError(Exception):
    """The file cannot be read as a tree of settings; only this first problem is known."""

    def __init__(self, located: Located) -> None:
        super().__init__(located.problem.message)
        self.located = located


def broken(
    source: Source, mark: Mark | None, message: str, fix: str | None, code: str
) -> BrokenFileError:
    """The exception for a problem of syntax."""
    return BrokenFileError(Located(Problem((), message, fix, code=code), source, mark))


def read(path: Path) -> Source:
    """Read a file and check everything that can be said before parsing it.

    Raises:
        BrokenFileError: missing, too big, not UTF-8 text, a Tab or a missing space.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
            length = max(len(content), path.stat().st_size)
    except FileNotFoundError as error:
        fix = "fieldpost init  writes a commented starter file"
        raise broken(_nothing(path), None, "there is no such file", fix, "file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not usable"
        message = f"this file cannot be read: {reason.lower()}"
        raise broken(_nothing(path), None, message, None, "file") from error
    if length > LARGEST_BYTES:
        message = f"this file is {length // 1000} kB; a configuration has at most 256 kB"
        raise broken(_nothing(path), None, message, "is this the right file?", "size")
    return parse_text(path, content)


def parse_text(path: Path, content: bytes) -> Source:
    """Bytes → checked lines; a byte-order mark and CR LF are accepted.

    Raises:
        BrokenFileError: as `read`.
    """
    text = _decoded(path, content)
    foreign = FOREIGN.search(text) or _WIDE_INDENT.search(text)
    lines = tuple(text.replace("\r\n", "\n").split("\n"))
    source = Source(path, hashlib.sha256(content).hexdigest(), lines)
    if foreign:
        mark = _mark_of(text, foreign.end() - 1)
        message = "this character cannot stand in a text file"
        fix = "delete it (it often comes from copying out of a PDF)"
        raise broken(source, mark, message, fix, "character")
    for problem in _slips(source):
        raise problem
    return source


def _slips(source: Source) -> Iterator[BrokenFileError]:
    """What the parser would only explain in its own words."""
    for number, line in enumerate(source.lines, 1):
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        if "\t" in indent and line.strip():
            mark = Mark(number, indent.index("\t") + 1)
            message = "a Tab character is used for indentation; YAML only accepts spaces"
            yield broken(source, mark, message, TAB_FIX, "tab")
        glued = _GLUED.fullmatch(line)
        if glued and glued[2] != "secret":
            mark = Mark(number, glued.start(3))
            fix = f"{glued[2]}: {glued[3]}"
            yield broken(source, mark, "a space is missing after ':'", fix, "space")


TAB_FIX: Final = (
    "replace the Tab by spaces (2 per level).  `fieldpost check --fix-tabs` does it for you"
)


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        lines = tuple(content.decode("utf-8", "replace").replace("\r\n", "\n").split("\n"))
        source = Source(path, hashlib.sha256(content).hexdigest(), lines)
        mark = _mark_of(before + "?", len(before))
        message, fix = "this file is not UTF-8 text", "save it again as UTF-8"
        raise broken(source, mark, message, fix, "encoding") from error


def _mark_of(text: str, index: int) -> Mark:
    before = text[:index].replace("\r\n", "\n")
    return Mark(before.count("\n") + 1, index - (text.rfind("\n", 0, index) + 1) + 1)


def _nothing(path: Path) -> Source:
    return Source(path, "", ())
