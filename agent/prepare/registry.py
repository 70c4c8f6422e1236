"""The kinds of connections and destinations there are, and where each is defined.

Connections come from the entry points `fieldpost.settings` and `fieldpost.drivers`, the same door
for our drivers and for anybody's. Destinations are our own packages below `agent.cloud`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final

from agent.prepare.kinds import ConnectionKind, DestinationKind

DESTINATIONS: Final = ("tesaiot", "mqtt", "http")
FIRST: Final = ("modbus-rtu", "modbus-tcp", "serial-lines", "bluetooth")  # then others by name


@dataclass(frozen=True, slots=True)
class Kinds:
    """Every `kind:` a file may say. A kind is loaded when a file says it, not before.

    Attributes:
        opens: `module:function` of the driver, by kind of connection.
    """

    connections: Mapping[str, Callable[[], ConnectionKind]]
    opens: Mapping[str, str]
    destinations: Mapping[str, Callable[[], DestinationKind]]

    def family(self, name: str) -> ConnectionKind | None:
        """The first kind of connection whose profiles say `kind: name`."""
        loaded = (load() for load in self.connections.values())
        return next((kind for kind in loaded if kind.family == name), None)

    def families(self) -> list[str]:
        """What profiles may say as their kind."""
        return list(dict.fromkeys(load().family for load in self.connections.values()))


def installed() -> Kinds:
    """The kinds of this installation."""
    drivers = {entry.name: entry.value for entry in entry_points(group="fieldpost.drivers")}
    found = {entry.name: entry for entry in entry_points(group="fieldpost.settings")}
    order = [*(kind for kind in FIRST if kind in found), *sorted(set(found) - set(FIRST))]
    return Kinds(
        connections={kind: found[kind].load for kind in order if kind in drivers},
        opens=drivers,
        destinations={kind: partial(_destination, kind) for kind in DESTINATIONS},
    )


def _destination(kind: str) -> DestinationKind:
    found: DestinationKind = import_module(f"agent.cloud.{kind}.settings").KIND
    return found
