"""The sections whose entries say their kind: connections and destinations."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from agent.plan import Json
from agent.prepare.findings import Findings
from agent.prepare.kinds import (
    ConnectionKind,
    DestinationKind,
    DestinationSettings,
    Problem,
    Settings,
    Spot,
)
from agent.prepare.refusal import closest
from agent.prepare.registry import BrokenKindError, Kinds

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Wire:
    """One connection of the file. `settings` is None where they are wrong."""

    name: str
    says: str
    kind: ConnectionKind
    settings: Settings | None


@dataclass(frozen=True, slots=True)
class Target:
    """One destination of the file. `settings` is None where they are wrong."""

    name: str
    says: str
    kind: DestinationKind
    settings: DestinationSettings | None


def connections(tree: Json, kinds: Kinds, findings: Findings) -> dict[str, Wire]:
    """Every connection whose kind is known."""
    found = {}
    for name, block in blocks("connections", tree, findings):
        kind = _kind("connections", name, block, kinds.connections, findings)
        if kind:
            settings = findings.validated(kind.settings, _rest(block), ("connections", name))
            found[name] = Wire(name, block["kind"], kind, settings)
    return found


def destinations(tree: Json, kinds: Kinds, findings: Findings) -> dict[str, Target]:
    """Every destination whose kind is known."""
    found = {}
    for name, block in blocks("cloud", tree, findings):
        kind = _kind("cloud", name, block, kinds.destinations, findings)
        if kind:
            settings = findings.validated(kind.settings, _rest(block), ("cloud", name))
            found[name] = Target(name, block["kind"], kind, settings)
    return found


def blocks(section: str, tree: Json, findings: Findings) -> Iterator[tuple[str, Json]]:
    """Entries that are blocks; the others are told."""
    entries = tree.get(section)
    for name, block in entries.items() if isinstance(entries, dict) else ():
        if isinstance(block, dict):
            yield name, block
        else:
            fix = f"write its settings below  {name}:  with 2 more spaces before each"
            message = f"'{name}' holds settings of its own, not one value"
            findings.add([Problem((section, name), message, fix, code="block")])


def _kind(
    section: str,
    name: str,
    block: Json,
    kinds: Mapping[str, Callable[[], Kind]],
    findings: Findings,
) -> Kind | None:
    path = (section, name, "kind")
    says = block.get("kind")
    if isinstance(says, str) and says in kinds:
        try:
            return kinds[says]()
        except BrokenKindError as error:
            findings.add([Problem(path, error.message, error.action, code="kind")])
            return None
    what = "connection" if section == "connections" else "destination"
    if says is None and path not in findings.empty:
        findings.add([_without_kind(path, what, block, list(kinds))])
    elif says is not None:
        findings.add([_unknown_kind(path, what, says, list(kinds))])
    return None


def _unknown_kind(path: tuple[str, ...], what: str, says: Any, kinds: list[str]) -> Problem:
    if not isinstance(says, str):
        return Problem(path, "one word is expected here, not a block of settings", code="block")
    near = closest(says, kinds)
    fix = f"did you mean {near}?" if near else None
    note = f"kinds: {', '.join(kinds)}"
    return Problem(path, f"'{says}' is not a kind of {what}", fix, note, code="kind")


def _without_kind(path: tuple[str, ...], what: str, block: Json, kinds: list[str]) -> Problem:
    typo = closest("kind", block)
    if typo and typo in block:
        message = f"'{typo}' is not a setting of '{path[1]}'"
        fix = "did you mean 'kind'?"
        return Problem((*path[:-1], typo), message, fix, spot=Spot.KEY, code="unknown")
    message = f"'{path[1]}' does not say what kind of {what} it is"
    fix = f"add a line  kind: {kinds[0]}  (or {', '.join(kinds[1:])})"
    return Problem(path[:-1], message, fix, spot=Spot.KEY, code="missing")


def _rest(block: Json) -> Json:
    return {key: value for key, value in block.items() if key != "kind"}
