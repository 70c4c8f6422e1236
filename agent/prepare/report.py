"""Problems for people (with the line and a caret), for programs, and for annotations."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from agent.plan import Plan
from agent.prepare.excerpt import excerpt, printable
from agent.prepare.kinds import Problem, Severity
from agent.prepare.source import Located

ENVIRONMENT: Final = "environment"  # stands where the file's name would
LONGEST: Final = 400  # characters of a sentence; a value can be as long as the file


def human(problems: Iterable[Located]) -> str:
    """`file:line:col: error: sentence`, an excerpt with a caret, notes and a fix."""
    return "\n".join(_block(located) for located in problems)


def as_json(problems: Iterable[Located]) -> str:
    """One JSON object a line for each problem."""
    return "".join(json.dumps(_fields(located), ensure_ascii=False) + "\n" for located in problems)


def github(problems: Iterable[Located]) -> str:
    """Workflow commands that annotate the lines of a pull request."""
    return "".join(_annotation(located) for located in problems)


FORMATS: Final[Mapping[str, Callable[[Iterable[Located]], str]]] = {
    "human": human,
    "json": as_json,
    "github": github,
}


def footer(problems: Sequence[Located], *, running: bool) -> str:
    """The last line: how many, and what it means for the gateway."""
    errors, warnings = count(problems, Severity.ERROR), count(problems, Severity.WARNING)
    told = _counted(errors, "error")
    if warnings or not errors:
        told += f", {_counted(warnings, 'warning')}"
    if not errors:
        return f"{told}. The file can be used."
    state = "keeps running with its last good configuration" if running else "is not running"
    return f"{told}. Nothing was changed; the gateway {state}."


def verdict(file: str, plan: Plan) -> str:
    """The one line about a file without a fault."""
    counts = (
        _counted(len(plan.connections), "connection"),
        _counted(len(plan.devices), "device"),
        _counted(len(plan.destinations), "destination"),
    )
    return f"{file}: OK - {', '.join(counts)}"


def count(problems: Iterable[Located], severity: Severity) -> int:
    """How many of one severity."""
    return sum(located.problem.severity is severity for located in problems)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _block(located: Located) -> str:
    problem = located.problem
    lines = [f"{_where(located)}: {problem.severity}: {_words(problem.message)}"]
    lines += excerpt(located)
    if problem.note:
        lines.append(f"      = {_words(problem.note)}")
    if problem.fix:
        lines.append(f"      = fix: {_words(problem.fix)}")
    return "\n".join(lines) + "\n"


def _where(located: Located) -> str:
    file = str(located.source.path) if located.source else ENVIRONMENT
    mark = located.mark
    return f"{file}:{mark.line}:{mark.column}" if mark else file


def _words(sentence: str) -> str:
    """One line of characters that a terminal can be trusted with."""
    told = " ".join(printable(sentence).split("\n"))
    return told if len(told) <= LONGEST else f"{told[:LONGEST]}…"


def _fields(located: Located) -> dict[str, str | int | None]:
    problem = located.problem
    return {
        "file": str(located.source.path) if located.source else ENVIRONMENT,
        "line": located.mark.line if located.mark else None,
        "column": located.mark.column if located.mark else None,
        "severity": str(problem.severity),
        "code": problem.code,
        "message": _words(problem.message),
        "note": problem.note and _words(problem.note),
        "fix": problem.fix and _words(problem.fix),
    }


def _annotation(located: Located) -> str:
    problem = located.problem
    level = {Severity.NOTE: "notice"}.get(problem.severity, str(problem.severity))
    place = f"file={_escaped(str(located.source.path), ',:')}" if located.source else ""
    if located.mark:
        place += f",line={located.mark.line},col={located.mark.column}"
    return f"::{level} {place}::{_escaped(_annotated(problem))}\n"


def _annotated(problem: Problem) -> str:
    fix = f"fix: {problem.fix}" if problem.fix else None
    told = (problem.message, problem.note, fix)
    return "\n".join(_words(sentence) for sentence in told if sentence)


def _escaped(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
