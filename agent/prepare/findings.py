"""Everything found wrong in one run, each at its place in the file."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from agent.client.places import command
from agent.plan import Json
from agent.prepare.explain import explain
from agent.prepare.kinds import Problem, Severity, Spot
from agent.prepare.layers import variable
from agent.prepare.source import Located, Mark
from agent.prepare.tree import Block, Document, Entry

Path = tuple[str, ...]
M = TypeVar("M", bound=BaseModel)

# problems of this machine, not of the file: the gateway starts with them and says so
OF_THE_MACHINE: Final = frozenset({"secret_missing", "bundle_missing", "port_missing"})
COMMAND: Final = "{fieldpost}"  # in a fix: what to type so that this file is meant
_LINE: Final = re.compile(r"\{line:([^{}]*)\}")


@dataclass(slots=True)
class Findings:
    """Collects problems and puts each where it belongs.

    Attributes:
        document: the configuration.
        places: where a setting really stands that has another path by now (renamed).
        variables: settings that came from the environment.
        empty: settings reported as empty.
    """

    document: Document
    places: Mapping[Path, Path] = field(default_factory=dict)
    variables: Mapping[Path, str] = field(default_factory=dict)
    empty: Collection[Path] = ()
    located: list[Located] = field(default_factory=list)

    def add(self, problems: Iterable[Problem], documents: Sequence[Document] = ()) -> None:
        """Add problems of the configuration, or of other documents (a profile and its base)."""
        for problem in problems:
            located = self._locate(problem, documents or [self.document])
            if located not in self.located:
                self.located.append(located)

    def validated(self, model: type[M], data: Json, base: Path) -> M | None:
        """What the model makes of a block of the configuration, or None and its problems."""
        try:
            return model.model_validate(data)
        except ValidationError as error:
            self.add(explain(error, model, data, base, self.empty))
            return None

    def sorted(self) -> tuple[Located, ...]:
        """In the order of the file; what has no place comes first, other files last."""

        def order(located: Located) -> tuple[bool, str, int, int]:
            mark = located.mark or Mark(0, 0)
            other = located.source not in (None, self.document.source)
            return (
                other,
                str(located.source.path if other and located.source else ""),
                mark.line,
                mark.column,
            )

        return tuple(sorted(self.located, key=order))

    def refuses(self) -> bool:
        """Whether the file cannot be used."""
        problems = [located.problem for located in self.located]
        errors = [problem for problem in problems if problem.severity is Severity.ERROR]
        return any(problem.code not in OF_THE_MACHINE for problem in errors)

    def _locate(self, problem: Problem, documents: Sequence[Document]) -> Located:
        problem = self._filled(problem)
        name = self.variables.get(problem.path)
        if name and documents[0] is self.document:
            return Located(_of_variable(name, problem))
        path = self.places.get(problem.path, problem.path)
        for document in documents:
            entry = document.find(path)
            if entry:
                return Located(problem, document.source, _mark(entry, problem.spot))
        return self._above(problem, path, documents)

    def _above(self, problem: Problem, path: Path, documents: Sequence[Document]) -> Located:
        """Under the name of the nearest block that is in a file."""
        while path:
            path = path[:-1]
            for document in documents:
                entry = document.find(path)
                if entry:
                    return Located(problem, document.source, entry.key)
        return Located(problem, documents[0].source if problem.code != "environment" else None)

    def _filled(self, problem: Problem) -> Problem:
        """With the line numbers, and the command that means this file, in its sentences."""
        message = _LINE.sub(self._line, problem.message)
        if problem.fix is None or COMMAND not in problem.fix:
            return replace(problem, message=message)
        fieldpost = command(self.document.source.path)
        return replace(problem, message=message, fix=problem.fix.replace(COMMAND, fieldpost))

    def _line(self, match: re.Match[str]) -> str:
        entry = self.document.find(match[1].split("/"))
        return str(entry.key.line) if entry else "?"


def _mark(entry: Entry, spot: Spot) -> Mark:
    return entry.key if spot is Spot.KEY or isinstance(entry.value, Block) else entry.value.mark


def _of_variable(name: str, problem: Problem) -> Problem:
    """The same problem, when the value came from the environment."""
    unknown = problem.code == "unknown"
    message = f"{name}: {'there is no such setting' if unknown else problem.message}"
    fix = problem.fix
    if unknown and fix:
        meant = fix.split("'")[1]
        fix = f"did you mean {variable((*problem.path[:-1], meant))}?"
    return replace(problem, message=message, fix=fix)
