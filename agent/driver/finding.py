"""Looking for devices and registers: what the command line wants, what a driver package finds.

A finder runs in the process of whoever looks. It has no wire of its own: it asks through an
`Asker`, which is the daemon's or one opened for the purpose.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent.driver.abilities import Asker, Reading
from agent.plan import Json


@dataclass(frozen=True, slots=True)
class Mark:
    """What a profile knows its model by.

    Attributes:
        body: the question, as in `Question.body`.
        expect: what the answer begins with, as text or as a number; None: any answer is a hint.
        models: SunSpec models, one of which the device must have; empty: it need not have any.
        telling: points that show whether the profile fits, with their units: a mains voltage.
    """

    profile: str
    body: bytes
    expect: str | None = None
    models: frozenset[int] = frozenset()
    telling: Mapping[str, str] = field(default_factory=dict)


Trial = Callable[[Asker, str, int, str], Awaitable[Reading | None]]
"""Reads one point of a profile on a device: asker, profile, address, point → what it shows."""


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for, and where.

    Attributes:
        lines: settings of the serial line to try, one after the other; an empty text is its own.
        addresses: to ask, in this order, for each of the lines.
        marks: of all profiles; a function, because they are only needed when somebody answers.
        timeout_s: how long to wait for each.
        done: so many of lines x addresses were asked already.
        force: see `Question`.
        found: by what was asked already.
        trial: how a profile is tried; None: it is not.
    """

    lines: Sequence[str]
    addresses: Sequence[int]
    marks: Callable[[], Sequence[Mark]]
    timeout_s: float
    done: int = 0
    force: bool = False
    found: Sequence["Sighting"] = ()
    trial: Trial | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """Somebody at an address.

    Attributes:
        line: how the line was set; empty on a network.
        profiles: those that may fit, the likeliest first.
        sure: the mark of the first one was found.
        name: what it calls itself.
        says: its first registers, for a person.
        why: what speaks for the first profile, for a person, when it is not sure.
        also: other settings of the line at which the same one answered.
        refuses: it refuses everything; nobody knows whether a device is there.
    """

    address: int
    line: str
    profiles: Sequence[str] = ()
    sure: bool = False
    name: str = ""
    says: str = ""
    why: str = ""
    also: Sequence[str] = ()
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One address has been asked.

    Attributes:
        done, total: of all questions.
        found: who is there, or None; one that was found already, when it answers once more.
    """

    done: int
    total: int
    line: str
    address: int
    found: Sighting | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A register of which somebody knows what it means now.

    Attributes:
        where: as a manual prints it or as a profile writes it: `30013`, `input 12`, `0x0C`.
        expect: what the display shows.
        within: how far off the value may be, relative.
    """

    unit: int
    where: str
    expect: float
    within: float = 0.005


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to read it.

    Attributes:
        settings: of the point in a profile, `read` first.
        value: what it says so.
        raw: the bytes it was read from, as hex.
    """

    settings: dict[str, str]
    value: float
    raw: str


@dataclass(frozen=True, slots=True)
class Proof:
    """One golden frame of a profile, decoded.

    Attributes:
        values: so many were expected.
        failures: one sentence for each that is not as expected.
    """

    name: str
    values: int
    failures: Sequence[str]


class Finder(Protocol):
    """What a driver package knows of finding things."""

    def lines(self, spec: Json) -> Sequence[str]:
        """The settings worth trying on this connection, its own first; `[""]` on a network.

        Args:
            spec: of the compiled connection.
        """
        ...

    def scan(self, asker: Asker, search: Search) -> AsyncGenerator[Step, None]:
        """Ask one address after the other; closing it stops it.

        Raises:
            DriverError: the connection is not there.
            BusyError: it is in use, and `force` was not given.
        """
        ...

    async def probe(self, asker: Asker, place: Place) -> Sequence[Candidate]:
        """The ways in which registers there mean the expected value, the likeliest first.

        Raises:
            DeviceFault: it does not answer, or refuses to be read there.
            ValidationError: `place.where` is no register.
        """
        ...
