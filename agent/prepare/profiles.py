"""Device profiles: where they lie, how one extends another, what the catalogue lists."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import agent
from agent.plan import Json
from agent.prepare.kinds import Problem
from agent.prepare.refusal import closest
from agent.prepare.source import BrokenFileError, Source, read
from agent.prepare.tidy import Tidied, tidy
from agent.prepare.tree import Document, compose

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}", re.ASCII)
_TITLE: Final = re.compile(r"(profile|title|kind|extends):\s+(.+?)\s*(?:\s#.*)?")
_OF_ITS_OWN: Final = ("profile", "title", "extends", "test")  # never taken from the other one


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the catalogue.

    Attributes:
        kind: the family of connections it fits, as the profile says.
        own: it lies beside the configuration, not in the package.
    """

    name: str
    title: str
    kind: str
    own: bool
    path: Path


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile as read: its own settings over those of the one it extends.

    Attributes:
        documents: its file, then the one it extends; where a problem is looked up.
        problems: what is wrong before any model sees it.
    """

    name: str
    tree: Json
    documents: Sequence[Document]
    problems: Sequence[Problem] = ()
    empty: set[tuple[str, ...]] = field(default_factory=set)

    @property
    def kind(self) -> str:
        """The family of connections it fits; empty when it does not say."""
        kind = self.tree.get("kind", "")
        return kind if isinstance(kind, str) else ""


class Shelf:
    """Profiles beside a configuration, and the packaged ones behind them.

    Attributes:
        sources: every file read so far.
        absent: own profiles that were looked for and would win over a packaged one.
    """

    def __init__(self, config_dir: Path) -> None:
        self._own = config_dir / "profiles"
        self._folders = (self._own, packaged())
        self.sources: dict[Path, Source] = {}
        self.absent: set[Path] = set()

    def names(self) -> list[str]:
        """All there are."""
        return sorted({path.stem for folder in self._folders for path in _files(folder)})

    def nearest(self, name: str) -> str | None:
        """The name most like this one."""
        return closest(name, self.names())

    def find(self, name: str) -> Path | None:
        """The file of a profile; an own one wins."""
        if not _NAME.fullmatch(name):
            return None
        for folder in self._folders:
            path = folder / f"{name}.yaml"
            if path.is_file():
                return path
            self.absent.add(path)
        return None

    def load(self, name: str) -> Profile | None:
        """Read one, and the one it extends; None when there is none of that name.

        Raises:
            BrokenFileError: a file is not readable as a tree of settings.
        """
        path = self.find(name)
        if path is None:
            return None
        document = self._document(path)
        tidied = tidy(document, profile=True)
        base = tidied.tree.get("extends")
        if not isinstance(base, str):
            return self._profile(name, [document], tidied)
        return self._extended(name, base, document, tidied)

    def _extended(self, name: str, base: str, document: Document, tidied: Tidied) -> Profile:
        path = self.find(base)
        if path is None:
            near = self.nearest(base)
            fix = f"did you mean {near}?" if near else None
            problem = Problem(("extends",), f"we have no profile '{base}'", fix, code="extends")
            return self._profile(name, [document], tidied, problem)
        other = self._document(path)
        below = tidy(other, profile=True)
        tidied.empty.update(below.empty)
        for key in _OF_ITS_OWN:
            taken = below.tree.pop(key, None)
            if key == "extends" and taken is not None:
                fix = f"write  extends: {taken}  or copy what you need"
                message = f"'{base}' extends '{taken}' itself; one step is allowed"
                problem = Problem(("extends",), message, fix, code="extends")
                return self._profile(name, [document, other], tidied, problem)
        merged = merge(below.tree, tidied.tree)
        return Profile(name, merged, [document, other], tidied.problems, tidied.empty)

    def _profile(
        self, name: str, documents: list[Document], tidied: Tidied, *problems: Problem
    ) -> Profile:
        found = [*tidied.problems, *problems]
        return Profile(name, tidied.tree, documents, found, tidied.empty)

    def _document(self, path: Path) -> Document:
        source = read(path)
        self.sources[path] = source
        return compose(source)


def packaged() -> Path:
    """Where the product's own profiles lie: in the wheel, else in the checkout."""
    package = Path(agent.__file__).parent
    shared = package / "share" / "profiles"
    return shared if shared.is_dir() else package.parent / "config" / "profiles"


def catalogue(config_dir: Path) -> list[Listed]:
    """Every profile by name, without reading the registers in it."""
    found: dict[str, Listed] = {}
    for folder, own in ((packaged(), False), (config_dir / "profiles", True)):
        for path in _files(folder):
            listed = _listed(path, own=own)
            if not listed.kind:
                base = _head(path).get("extends", "")
                listed = _listed(path, own=own, kind=found[base].kind if base in found else "")
            found[path.stem] = listed
    return [found[name] for name in sorted(found)]


def merge(below: Json, above: Json) -> Json:
    """`above` on top of `below`, block by block."""
    result: dict[str, Any] = dict(below)
    for key, value in above.items():
        under = result.get(key)
        if isinstance(value, dict) and isinstance(under, dict):
            result[key] = merge(under, value)
        else:
            result[key] = value
    return result


def _listed(path: Path, *, own: bool, kind: str = "") -> Listed:
    head = _head(path)
    title = head.get("title", path.stem)
    return Listed(path.stem, title, head.get("kind", kind), own, path)


def _head(path: Path) -> dict[str, str]:
    """Name, title and kind stand at the left edge; the rest is not parsed for a list."""
    try:
        lines = read(path).lines
    except BrokenFileError:
        return {}
    matches = (_TITLE.fullmatch(line) for line in lines)
    return {match[1]: match[2].strip("'\"") for match in matches if match}


def _files(folder: Path) -> Iterator[Path]:
    try:
        found = sorted(folder.glob("*.yaml"))
    except OSError:
        return
    yield from (path for path in found if _NAME.fullmatch(path.stem))
