"""The file as a tree of text with positions, composed from the parser's events.

Events come one by one and nothing is built before it is allowed: aliases, anchors, tags, lists,
second documents and deep nesting end the reading where they stand. No scalar is given a type:
`NO`, `0123` and `12:34:56` stay as written.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML, events
from ruamel.yaml.error import YAMLError

from agent.prepare.source import FOREIGN, BrokenFileError, Mark, Source, broken
from agent.prepare.syntax import translate

DEEPEST: Final = 20
NAMED: Final = (["connections"], ["devices"], ["cloud"])  # sections whose keys are names
_EMPTY_FIX: Final = "fieldpost init  writes a commented starter file"
_SPECIAL_FIX: Final = "write the value out, or put the text between quotes"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: always text. `plain` if it stands there without quotes."""

    text: str
    mark: Mark
    plain: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and what stands behind it."""

    key: Mark
    value: "Scalar | Block"


@dataclass(frozen=True, slots=True)
class Block:
    """Settings by name, in the order of the file."""

    mark: Mark
    entries: dict[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A file and its tree."""

    source: Source
    root: Block

    def find(self, path: Iterable[str]) -> Entry | None:
        """The entry at a path of keys, or None when the file has none there."""
        entry: Entry | None = None
        node: Scalar | Block = self.root
        for key in path:
            entry = node.entries.get(key) if isinstance(node, Block) else None
            if entry is None:
                return None
            node = entry.value
        return entry


def plain(node: Scalar | Block) -> Any:
    """Dicts of text, for the models. An empty value is None, a quoted empty text is not."""
    if isinstance(node, Block):
        return {key: plain(entry.value) for key, entry in node.entries.items()}
    return None if node.plain and not node.text else node.text


def scalars(block: Block, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Entry]]:
    """Every single value below, with its path."""
    for key, entry in block.entries.items():
        if isinstance(entry.value, Block):
            yield from scalars(entry.value, (*path, key))
        else:
            yield (*path, key), entry


def compose(source: Source) -> Document:
    """The tree of a file.

    Raises:
        BrokenFileError: it is not valid YAML, or uses what is not used here.
    """
    composer = _Composer(source)
    parser = YAML(typ="safe", pure=True)
    try:
        for event in parser.parse("\n".join(source.lines)):
            composer.take(event)
    except (YAMLError, ValueError) as error:
        raise translate(source, error) from error
    if composer.root is None:
        raise broken(source, None, "this file holds no settings", _EMPTY_FIX, "empty")
    return Document(source, composer.root)


class _Composer:
    """Keeps the blocks that are open, and the key each of them waits for a value of."""

    def __init__(self, source: Source) -> None:
        self.root: Block | None = None
        self._source = source
        self._open: list[Block] = []
        self._keys: list[tuple[str, Mark] | None] = []
        self._path: list[str] = []
        self._documents = 0
        self._take: Mapping[type, Any] = {
            events.DocumentStartEvent: self._document,
            events.AliasEvent: self._alias,
            events.SequenceStartEvent: self._list,
            events.MappingStartEvent: self._block,
            events.MappingEndEvent: self._end,
            events.ScalarEvent: self._scalar,
        }

    def take(self, event: Any) -> None:
        """Build on, or raise."""
        take = self._take.get(type(event))
        if take:
            take(event)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            mark = self._mark(event)
            message = "a second document begins here; a configuration is one document"
            raise self._refused(mark, message, "delete this line", "document")
        for number, line in enumerate(self._source.lines[: event.start_mark.line], 1):
            if line.startswith("%"):
                message = "lines that begin with % are not used here"
                raise self._refused(Mark(number, 1), message, "delete this line", "directive")

    def _alias(self, event: Any) -> None:
        raise self._special(event, len(event.anchor) + 1)

    def _list(self, event: Any) -> None:
        self._ordinary(event)
        mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
        fix = "give every entry a name:   name: {...}"
        raise self._refused(mark, "lists are not used here", fix, "list")

    def _block(self, event: Any) -> None:
        self._ordinary(event)
        mark = self._mark(event)
        if len(self._open) >= DEEPEST:
            message = f"this is nested deeper than {DEEPEST} levels"
            raise self._refused(mark, message, None, "depth")
        block = Block(mark)
        self._path.append(self._keys[-1][0] if self._keys and self._keys[-1] else "")
        if self._open:
            self._add(block, mark)
        else:
            self.root = block
        self._open.append(block)
        self._keys.append(None)

    def _end(self, _: Any) -> None:
        self._open.pop()
        self._path.pop()
        self._keys.pop()

    def _scalar(self, event: Any) -> None:
        self._ordinary(event)
        mark = self._mark(event)
        if FOREIGN.search(event.value):
            message = "this text holds a character that cannot be used"
            raise self._refused(mark, message, "delete it", "character")
        if not self._open:
            raise self._refused(None, "this file holds no settings", _EMPTY_FIX, "empty")
        if self._keys[-1] is None:
            self._keys[-1] = self._key(event.value, mark)
        else:
            self._add(Scalar(event.value, mark, event.style is None), mark)

    def _key(self, key: str, mark: Mark) -> tuple[str, Mark]:
        known = self._open[-1].entries.get(key)
        if known:
            named = self._path[1:] in NAMED
            fix = "give this one another name, or " * named + "delete one of the two"
            message = f"'{key}' is already used on line {known.key.line}"
            raise self._refused(mark, message, fix, "duplicate")
        if not key:
            message = "a name is missing before ':'"
            raise self._refused(mark, message, "write  name: value", "key")
        return key, mark

    def _add(self, value: Scalar | Block, mark: Mark) -> None:
        waiting = self._keys[-1]
        if waiting is None:
            message = "a block cannot be a name"
            raise self._refused(mark, message, "write  name: {...}", "key")
        self._open[-1].entries[waiting[0]] = Entry(waiting[1], value)
        self._keys[-1] = None

    def _ordinary(self, event: Any) -> None:
        """Neither anchor nor tag."""
        if event.anchor is not None:
            raise self._special(event, len(event.anchor) + 1)
        if event.ctag is not None:
            mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
            message = "! has a special meaning in YAML and is not used here"
            raise self._refused(mark, message, _SPECIAL_FIX, "tag")

    def _special(self, event: Any, width: int) -> BrokenFileError:
        mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1, width)
        message = "& and * have a special meaning in YAML and are not used here"
        return self._refused(mark, message, _SPECIAL_FIX, "anchor")

    def _refused(
        self, mark: Mark | None, message: str, fix: str | None, code: str
    ) -> BrokenFileError:
        return broken(self._source, mark, message, fix, code)

    def _mark(self, event: Any) -> Mark:
        start, end = event.start_mark, event.end_mark
        line = self._source.lines[start.line] if start.line < len(self._source.lines) else ""
        last = end.column if end.line == start.line else len(line.rstrip())
        return Mark(start.line + 1, start.column + 1, max(last - start.column, 1))
