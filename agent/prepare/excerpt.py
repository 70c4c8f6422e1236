"""The line a problem is on and the one above it, with a caret; secrets are never shown."""

import re
from collections.abc import Sequence
from typing import Final

from agent.prepare.refusal import closest
from agent.prepare.source import FOREIGN, Located, Mark

MASK: Final = "********"
WIDEST: Final = 160  # characters of a line that are shown
# settings whose value is or may be a secret, when it does not say `secret:`
SECRETS: Final = ("key", "password", "passphrase", "private_key", "secret", "token")
_SETTING: Final = re.compile(r"(?P<key>[\w-]+)['\"]?\s*:\s+(?P<value>(?!secret:)[^\s#{].*)")
_USER: Final = re.compile(r"(?<=://)[^/@\s]+@")


def excerpt(located: Located) -> list[str]:
    """Lines to print below the sentence; none when the problem has no place."""
    if located.source is None or located.mark is None:
        return []
    lines, mark = located.source.lines, located.mark
    hidden = located.mark.column if located.problem.code == "secret_in_file" else None
    shown, left = _line(lines, mark, hidden)
    above = _masked(lines, mark.line - 1) if mark.line > 1 else ""
    before = [f"{mark.line - 1:5d} | {_visible(above)[:WIDEST]}".rstrip()] if above.strip() else []
    caret = " " * (mark.column - 1 - left) + "^" * _width(shown, mark, left, hidden)
    return [*before, f"{mark.line:5d} | {shown}".rstrip(), f"{'':5} | {caret}"]


def printable(text: str) -> str:
    """Text without characters that could steer a terminal."""
    return FOREIGN.sub("\ufffd", text).replace("\t", "→")


def _line(lines: Sequence[str], mark: Mark, hidden: int | None) -> tuple[str, int]:
    """The line itself, and how much of its left end is cut off."""
    line = _masked(lines, mark.line)
    if hidden is not None:
        line = line[: hidden - 1] + MASK
    left = max(0, mark.column - WIDEST // 2) if len(line) > WIDEST else 0
    return _visible(line)[left : left + WIDEST], left


def _width(shown: str, mark: Mark, left: int, hidden: int | None) -> int:
    if hidden is not None or MASK in shown[mark.column - 1 - left :][: len(MASK)]:
        return len(MASK)
    return max(1, min(mark.width, len(shown) - (mark.column - 1 - left)))


def _visible(line: str) -> str:
    return printable(line)


def _masked(lines: Sequence[str], number: int) -> str:
    """A line, with what looks like a secret covered."""
    line = lines[number - 1] if number <= len(lines) else ""
    if _is_secret(_owner(lines, number)):
        return line[: len(line) - len(line.lstrip())] + MASK
    for match in _SETTING.finditer(line):
        if _is_secret(match["key"]):
            return line[: match.start("value")] + MASK
    return _USER.sub(f"{MASK}@", line)


def _is_secret(key: str) -> bool:
    """A slip of the pen counts: `tokn` holds a token all the same."""
    return closest(key, SECRETS) is not None


def _owner(lines: Sequence[str], number: int) -> str:
    """The setting whose text goes on in this line: the next one above with less indentation."""
    line = lines[number - 1] if number <= len(lines) else ""
    indent = len(line) - len(line.lstrip())
    for above in reversed(lines[: number - 1]):
        if above.strip() and len(above) - len(above.lstrip()) < indent:
            match = re.match(r"\s*([\w-]+)\s*:\s+[|>\"'\w-]", above)
            return match[1] if match else ""
    return ""
