"""What a driver may offer beside its schedule: reading, writing, finding and telling on demand.

The daemon asks `isinstance(driver, ...)`: a driver implements what its wire or radio can do.
"""

import dataclasses
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from agent.clock import iso
from agent.plan import Json
from agent.sample import Instant, Value


class Quality(StrEnum):
    """What a single read is worth; only good ones become part of a `Sample`."""

    GOOD = "good"
    OUT_OF_RANGE = "out-of-range"
    NO_VALUE = "no-value"


@dataclass(frozen=True, slots=True)
class Reading:
    """One point, read on demand.

    Attributes:
        ms: how long the answer took, milliseconds.
        source: where the value stands, in both conventions: `input 12 (30013)`.
        raw: the words or bytes it was decoded from, as hex in groups: `4503 84CD`.
        form: how it was decoded: `float32 ABCD`.
        request, answer: the frames as hex bytes, or None where there are none.
    """

    point: str
    value: Value | None
    unit: str | None
    quality: Quality
    at: Instant
    ms: float
    source: str = ""
    raw: str = ""
    form: str = ""
    request: str | None = None
    answer: str | None = None


@runtime_checkable
class Reads(Protocol):
    """A driver that can read points on demand, between its scheduled reads."""

    async def read(self, device: str, point: str | None) -> Sequence[Reading]:
        """Read one point, or all of a device, now.

        Raises:
            DeviceFault: it did not answer, or refused.
            DriverError: the connection is not there.
        """
        ...


@dataclass(frozen=True, slots=True)
class Discovered:
    """Something on a wire or in the air, configured or not.

    Attributes:
        address: as it is written in the file.
        name: what it is or calls itself; empty when nothing is known.
        profile: one that fits, or None.
        says: what was understood of it, for a person: `4.1 C  71 %`.
        signal_dbm: how strong it was heard, None on a wire.
        device: the configured device at this address, or None.
    """

    address: str
    name: str
    profile: str | None
    says: str
    signal_dbm: int | None = None
    device: str | None = None


@runtime_checkable
class Discovers(Protocol):
    """A driver that can tell what is there, while it goes on reading."""

    async def discover(self, for_s: float) -> Sequence[Discovered]:
        """Look or listen for so many seconds.

        Raises:
            DriverError: the connection is not there.
        """
        ...


@runtime_checkable
class Writes(Protocol):
    """A driver that can change points its profiles mark with `write: true`."""

    async def write(self, device: str, point: str, value: Value) -> Reading:
        """Write a value within the point's range, once, and read it back.

        A write is never repeated: when no answer comes, the point is read to see what became of
        it. Who calls sees to permission and audit.

        Returns:
            what the device shows afterwards.

        Raises:
            NotWritableError: the profile does not allow it, the device refuses it, or it shows
                another value than the one written.
            ValidationError: the value is no value of this point, outside its range, or refused.
            BusyError: the device is.
            DeviceFault: it did not answer; what it shows is not what was written, or unknown.
            DriverError: the connection is not there.
        """
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """One harmless question to one unit of a wire, in the words of its protocol.

    Attributes:
        unit: its address on the wire.
        body: what to ask, without the frame around it (Modbus: function code and data).
        timeout_s: patience; None is the connection's own.
        line: other settings of a serial line than its own, `19200 8E1`; empty: its own.
        force: ask although nobody knows this unit, or the line is set differently, and the
            connection is in use.
    """

    unit: int
    body: bytes
    timeout_s: float | None = None
    line: str = ""
    force: bool = False


class Asker(Protocol):
    """An open wire that can be asked."""

    async def ask(self, question: Question) -> bytes:
        """What the unit says to it, without the frame; a refusal is an answer too.

        Waits for its turn between the scheduled reads. What could change a device is not let
        through.

        Raises:
            DeviceFault: NO_ANSWER nothing came, DAMAGED what came is no answer.
            DriverError: the connection is not there.
            BusyError: it would disturb a connection that is in use; `force` is needed.
            ValidationError: this question could change something, or is none.
        """
        ...


@runtime_checkable
class Asks(Protocol):
    """A driver that lends its wire for questions, while it goes on reading."""

    def asking(self) -> AbstractAsyncContextManager[Asker]:
        """The wire, opened for as long as the block lasts when nothing else holds it open."""
        ...


@dataclass(frozen=True, slots=True)
class Traffic:
    """One exchange, or one thing heard, on a connection.

    Attributes:
        at: when it was complete.
        device: the configured device it belongs to, or None.
        asked, said: the frames as hex bytes, `02 04 00 0C`; empty where there is none.
        means: what was said, for a person: `power 2104.3 W`, `T=21.5 H=48`.
        request: what was asked, for a person: `2 reads input 12..13 (30013)`; empty when nothing.
        ms: from the question's end to the answer's end, None where nothing was asked.
        fault: why there is no good answer: `no answer`, `wrong checksum`; empty when there is.
    """

    at: Instant
    device: str | None
    asked: str
    said: str
    means: str
    request: str = ""
    ms: float | None = None
    fault: str = ""

    def told(self) -> Json:
        """As the daemon's verb `monitor` has it, and every line of a recording."""
        fields = dataclasses.asdict(self)
        at = fields.pop("at")
        return {"time": iso(at["wall_ns"]), **fields}


@runtime_checkable
class Monitors(Protocol):
    """A driver that can tell what passes on its connection while it runs."""

    def traffic(self) -> AsyncGenerator[Traffic, None]:
        """Everything from now on, until `run` ends.

        A reader that is too slow misses what is oldest; the driver never waits for it.
        """
        ...


@runtime_checkable
class Listens(Protocol):
    """A driver that can hear others talk on its wire, without a word of its own."""

    def listen(self) -> AsyncGenerator[Traffic, None]:
        """Open the wire and tell what is said on it, until closed.

        Raises:
            DriverError: the connection is not there, or another program has it.
        """
        ...
