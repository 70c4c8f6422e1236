"""The file's tree made ready for the models: empty values and old names are settled here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.plan import Json
from agent.prepare.kinds import Problem, Severity, Spot
from agent.prepare.tree import Block, Document, Entry, Scalar

Path = tuple[str, ...]

# old name → new one, by section; the old one keeps working and is named in a warning
RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "devices": {"adress": "address"},  # codespell:ignore adress
}
_MAY_BE_EMPTY: Final = frozenset({"connections", "devices", "cloud", "status", "health"})
_MAPS: Final = frozenset({"points", "identities"})
_NAMES: Final = 2  # level of the names a technician chose
_FIRST_LINE: Final = {"connections": "kind", "devices": "profile", "cloud": "kind"}


@dataclass(frozen=True, slots=True)
class Tidied:
    """What the models read.

    Attributes:
        tree: dicts of text; nothing in it is empty.
        places: where a renamed setting really stands, by its new path.
        empty: paths that stood in the file without a value.
    """

    tree: Json = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    places: dict[Path, Path] = field(default_factory=dict)
    empty: set[Path] = field(default_factory=set)


def tidy(document: Document, *, profile: bool = False) -> Tidied:
    """The tree of a configuration (or of a profile, which has no old names yet)."""
    result = Tidied()
    _copy(document.root, (), result, {} if profile else RENAMED)
    return result


def renamed(document: Document) -> Iterator[tuple[Entry, str]]:
    """Entries that stand under an old name, and the new one: what `fieldpost migrate` rewrites."""
    for (section, *_), key, entry in _entries(document.root, ()):
        new = RENAMED.get(section, {}).get(key)
        if new:
            yield entry, new


def _entries(block: Block, path: Path) -> Iterator[tuple[Path, str, Entry]]:
    for key, entry in block.entries.items():
        if len(path) > 1:
            yield path, key, entry
        if isinstance(entry.value, Block):
            yield from _entries(entry.value, (*path, key))


def _copy(
    block: Block, path: Path, result: Tidied, renames: Mapping[str, Mapping[str, str]]
) -> Json:
    tree = result.tree if not path else {}
    for written, entry in block.entries.items():
        here = (*path, written)
        key = _current(here, block, result, renames)
        if isinstance(entry.value, Block):
            tree[key] = _copy(entry.value, here, result, renames)
        elif entry.value.plain and not entry.value.text:
            result.empty.add((*path, key))
            result.problems.extend(_empty(here, entry.value))
        else:
            tree[key] = entry.value.text
    return tree


def _current(
    path: Path, block: Block, result: Tidied, renames: Mapping[str, Mapping[str, str]]
) -> str:
    """The name a setting has today; an old one is warned of."""
    written = path[-1]
    new = renames.get(path[0], {}).get(written) if len(path) > _NAMES else None
    if new is None or new in block.entries:
        return written
    message = f"'{written}' is now called '{new}'"
    warning = Problem(
        path, message, "fieldpost migrate", None, Severity.WARNING, Spot.KEY, "renamed"
    )
    result.problems.append(warning)
    result.places[*path[:-1], new] = path
    return new


def _empty(path: Path, value: Scalar) -> Iterator[Problem]:
    """The problem of a setting without a value, unless it may be so."""
    key = path[-1]
    if ":" in key and value.mark.width <= 1:
        left, _, right = key.partition(":")
        fix = f"{left}: {right}"
        yield Problem(path, "a space is missing after ':'", fix, spot=Spot.KEY, code="space")
    elif key not in (_MAPS if path[:-1] else _MAY_BE_EMPTY):
        yield Problem(path, f"'{key}' is empty", _mend(path), spot=Spot.KEY, code="empty")


def _mend(path: Path) -> str:
    first = _FIRST_LINE.get(path[0]) if len(path) == _NAMES else None
    first = "name" if path == ("site",) else first
    return f"add a line  {first}: ..." if first else "write a value behind it, or delete the line"
