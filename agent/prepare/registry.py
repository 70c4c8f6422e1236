"""The kinds of connections and destinations there are, and where each is defined.

Connections come from the entry points `fieldpost.settings` and `fieldpost.drivers`, the same door
for our drivers and for anybody's. Destinations are our own packages below `agent.cloud`.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final, TypeVar

from agent.errors import FieldpostError
from agent.prepare.kinds import ConnectionKind, DestinationKind

Kind = TypeVar("Kind")

DESTINATIONS: Final = ("tesaiot", "mqtt", "http")
FIRST: Final = ("modbus-rtu", "modbus-tcp", "serial-lines", "bluetooth")  # then others by name


class BrokenKindError(FieldpostError):
    """The package that defines a kind cannot be loaded."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """Every `kind:` a file may say. A kind is loaded when a file says it, not before.

    Attributes:
        connections, destinations: by name, what loads it; raises `BrokenKindError`.
        opens: `module:function` of the driver, by kind of connection.
    """

    connections: Mapping[str, Callable[[], ConnectionKind]]
    opens: Mapping[str, str]
    destinations: Mapping[str, Callable[[], DestinationKind]]

    def usable(self) -> Iterator[ConnectionKind]:
        """All kinds of connections that can be loaded."""
        for load in self.connections.values():
            with contextlib.suppress(BrokenKindError):
                yield load()

    def family(self, name: str) -> ConnectionKind | None:
        """The first kind of connection whose profiles say `kind: name`."""
        return next((kind for kind in self.usable() if kind.family == name), None)

    def name_of(self, family: str) -> str:
        """A `kind:` of connection on which profiles of this family fit."""
        names = [name for name, load in self.connections.items() if load().family == family]
        return " or ".join(names)

    def families(self) -> list[str]:
        """What profiles may say as their kind."""
        return list(dict.fromkeys(kind.family for kind in self.usable()))


def installed() -> Kinds:
    """The kinds of this installation."""
    drivers = {entry.name: entry.value for entry in entry_points(group="fieldpost.drivers")}
    found = {entry.name: entry for entry in entry_points(group="fieldpost.settings")}
    order = [*(kind for kind in FIRST if kind in found), *sorted(set(found) - set(FIRST))]
    return Kinds(
        connections={
            kind: partial(_loaded, kind, found[kind].load) for kind in order if kind in drivers
        },
        opens=drivers,
        destinations={
            kind: partial(_loaded, kind, partial(_destination, kind)) for kind in DESTINATIONS
        },
    )


def _destination(kind: str) -> DestinationKind:
    def load() -> DestinationKind:
        found: DestinationKind = import_module(f"agent.cloud.{kind}.settings").KIND
        return found

    return _loaded(kind, load)


def _loaded(name: str, load: Callable[[], Kind]) -> Kind:
    try:
        return load()
    except (ImportError, AttributeError) as error:
        message = f"what belongs to '{name}' cannot be loaded: {error}"
        raise BrokenKindError(message, action="install fieldpost again") from error
