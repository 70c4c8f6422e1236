"""Edits a program makes in the technician's file: the text is changed in place, and proved.

Comments, order, quotes and line ends survive, because only the characters of one value change, or
one line is put in. Afterwards the file is read again: it may differ from before in that place only.
"""

import re
from pathlib import Path
from typing import Any, Final

from agent.errors import FieldpostError
from agent.prepare.source import BrokenFileError, Mark, parse_text
from agent.prepare.tidy import renamed
from agent.prepare.tree import Block, Document, Entry, Scalar, compose, plain

Keys = tuple[str, ...]

_TABS: Final = (2, 4, 8, 1)  # how many spaces a Tab may have stood for, most likely first
_NOWHERE: Final = Path("gateway.yaml")


class EditError(FieldpostError):
    """The file cannot be edited by a program; a person can."""

    code = "EDIT"


def fix_tabs(text: str) -> str:
    """Tabs in indentation become spaces: as many as a level of this file has, else 2."""
    candidates = {width: _without_tabs(text, width) for width in _TABS}
    readable = {width: each for width, each in candidates.items() if _is_readable(each)}
    return min((readable or candidates).items(), key=_uneven)[1]


def migrate(text: str) -> str:
    """Settings under old names get their new ones.

    Raises:
        EditError: the file cannot be read.
    """
    lines = _lines(text)
    for entry, new in renamed(_read(text)):
        _replace(lines, entry.key, new)
    return "".join(lines)


def set_value(text: str, path: Keys, value: str) -> str:
    """Set one setting, adding its line when it is not there yet.

    Args:
        text: of the file.
        path: keys from the top: ("devices", "oven-meter", "every").
        value: as it would be written, without quotes.

    Raises:
        EditError: the file cannot be read, or the place is one that only a person can edit.
    """
    document = _read(text)
    lines = _lines(text)
    entry = document.find(path)
    if entry is None:
        block = _block(document, path[:-1])
        indent = " " * (next(iter(block.entries.values())).key.column - 1)
        _insert(lines, _last_line(block), [f"{indent}{path[-1]}: {_written(value)}"])
    elif isinstance(entry.value, Scalar):
        _set(lines, entry, value)
    else:
        message = f"'{path[-1]}' holds settings of its own"
        raise EditError(message, action="name one of them")
    return _proved("".join(lines), document, path, value)


def add_block(text: str, section: str, name: str, settings: dict[str, str]) -> str:
    """Add a connection, device or destination at the end of its section.

    Raises:
        EditError: the name is taken, or the file cannot be edited by a program.
    """
    document = _read(text)
    if document.find((section, name)):
        message = f"'{name}' is there already"
        raise EditError(message, action="choose another name")
    lines = _lines(text)
    body = [f"  {name}:", *(f"    {key}: {_written(settings[key])}" for key in settings)]
    entry = document.find((section,))
    if entry is None:
        _insert(lines, len(lines), ["", f"{section}:", *body])
    elif isinstance(entry.value, Block):
        first = next(iter(entry.value.entries.values()))
        shift = " " * (first.key.column - 3)
        _insert(lines, _last_line(entry.value), ["", *(shift + line for line in body)])
    else:
        _insert(lines, entry.key.line, body)
    return _proved("".join(lines), document, (section, name), dict(settings))


def _without_tabs(text: str, width: int) -> str:
    def spaces(match: re.Match[str]) -> str:
        return match[0].replace("\t", " " * width)

    text = re.sub(r"(?m)^[ \t]+", spaces, text)
    return re.sub(r"(?m)^( *[\w-]+:)[ \t]*\t[ \t]*", r"\1 ", text)


def _uneven(candidate: tuple[int, str]) -> tuple[int, bool]:
    """Least where all levels are alike, and a Tab stood for one of them."""
    width, text = candidate
    steps = _steps(text)
    return len(steps), width not in steps


def _steps(text: str) -> set[int]:
    """By how many spaces levels are indented."""
    found: set[int] = set()
    levels = [0]
    for line in text.splitlines():
        words = line.lstrip(" ")
        indent = len(line) - len(words)
        if not words or words.startswith("#"):
            continue
        while levels[-1] > indent:
            levels.pop()
        if indent > levels[-1]:
            found.add(indent - levels[-1])
            levels.append(indent)
    return found


def _is_readable(text: str) -> bool:
    try:
        compose(parse_text(_NOWHERE, text.encode()))
    except BrokenFileError:
        return False
    return True


def _read(text: str) -> Document:
    try:
        return compose(parse_text(_NOWHERE, text.encode()))
    except BrokenFileError as error:
        message = f"the file has an error: {error.located.problem.message}"
        raise EditError(message, action="fieldpost check") from error


def _lines(text: str) -> list[str]:
    """With their line ends."""
    return re.findall(r"[^\n]*\n|[^\n]+", text.removeprefix("\ufeff"))


def _set(lines: list[str], entry: Entry, value: str) -> None:
    assert isinstance(entry.value, Scalar)  # noqa: S101 -- the caller looked
    mark = entry.value.mark
    if not entry.value.text and entry.value.plain:
        line = lines[entry.key.line - 1]
        end = line.index(":", entry.key.column - 1 + entry.key.width) + 1
        lines[entry.key.line - 1] = f"{line[:end]} {_written(value)}{line[end:]}"
    elif "\n" in entry.value.text or _goes_on(lines, entry.value):
        message = "this value has several lines"
        raise EditError(message, action="edit the file by hand")
    else:
        _replace(lines, mark, _written(value))


def _goes_on(lines: list[str], value: Scalar) -> bool:
    """Whether a text is longer than what of it stands in its first line."""
    line = lines[value.mark.line - 1]
    shown = line[value.mark.column - 1 : value.mark.column - 1 + value.mark.width]
    return value.plain and shown != value.text


def _replace(lines: list[str], mark: Mark, new: str) -> None:
    """Put `new` in the place of a token; a comment behind it keeps its column."""
    line = lines[mark.line - 1]
    start = mark.column - 1
    rest = line[start + mark.width :]
    comment = re.match(r"( +)#", rest)
    if comment:
        gap = max(1, len(comment[1]) + mark.width - len(new))
        rest = " " * gap + rest[len(comment[1]) :]
    lines[mark.line - 1] = line[:start] + new + rest


def _insert(lines: list[str], after: int, new: list[str]) -> None:
    """Put lines behind line number `after`, with the line ends of the file."""
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if after and not lines[after - 1].endswith("\n"):
        lines[after - 1] += end
    lines[after:after] = [line + end for line in new]


def _block(document: Document, path: Keys) -> Block:
    entry = document.find(path)
    if entry is None or not isinstance(entry.value, Block):
        message = f"there is no block '{'.'.join(path)}' in the file"
        raise EditError(message, action="write it by hand")
    block = entry.value
    if not block.entries or block.mark.line == entry.key.line:
        message = f"'{path[-1]}' is written in one line"
        raise EditError(message, action="edit the file by hand")
    return block


def _last_line(block: Block) -> int:
    """The last line that belongs to a block, without the comments behind it."""
    last = list(block.entries.values())[-1]
    if isinstance(last.value, Block) and last.value.entries:
        return max(_last_line(last.value), last.key.line)
    return max(last.value.mark.line, last.key.line) + _more(last.value)


def _more(value: Scalar | Block) -> int:
    """Further lines of a text; what cannot be counted is found by the proof."""
    return value.text.count("\n") if isinstance(value, Scalar) else 0


def _written(value: str) -> str:
    """As YAML: plain where that reads back the same, else between single quotes."""
    try:
        document = compose(parse_text(_NOWHERE, f"a:\n  b: {value}\n".encode()))
    except BrokenFileError:
        document = None
    if document and plain(document.root) == {"a": {"b": value}}:
        return value
    return "'{}'".format(value.replace("'", "''"))


def _proved(text: str, before: Document, path: Keys, value: Any) -> str:
    """The text, when it differs from before in the intended place only.

    Raises:
        EditError: it does not.
    """
    wanted = plain(before.root)
    node = wanted
    for key in path[:-1]:
        if node.get(key) is None:
            node[key] = {}
        node = node[key]
    node[path[-1]] = value
    if plain(_read(text).root) != wanted:
        message = "the file is written in a way that a program cannot edit here"
        raise EditError(message, action="edit the file by hand")
    return text
