"""All that a driver author imports: what a driver gets, what it offers, how it says what failed.

A driver package offers two entry points of the same name, the `kind:` of a connection:

* `fieldpost.settings` names a `ConnectionKind` (`agent.prepare.kinds`), used by `prepare` alone;
* `fieldpost.drivers` names an `Opens`: a function that takes the compiled spec and does no I/O.

One driver object owns one connection (a line, a host, a radio) and all devices on it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from agent.errors import NoAnswerError
from agent.plan import Json
from agent.sample import Instant, Sample, Value
from agent.secret import Secret

__all__ = [
    "Asker",
    "Asks",
    "ConnectionState",
    "DeviceFault",
    "Discovered",
    "Discovers",
    "Driver",
    "DriverError",
    "Instant",
    "Json",
    "Monitors",
    "Opens",
    "Overheard",
    "Quality",
    "Reading",
    "Reads",
    "Reason",
    "Sample",
    "Secret",
    "Sink",
    "Value",
    "Writes",
]


class Reason(StrEnum):
    """Why a read failed: the closed list behind `error_rate` and `sensor_range` in health."""

    NO_ANSWER = "no_answer"
    NOBODY_ANSWERS = "nobody_answers"
    DAMAGED = "damaged"
    REFUSED = "refused_by_device"
    NOT_HEARD = "not_heard"
    REFUSES_CONNECTION = "refuses_connection"
    NO_KEY = "no_key"
    UNREADABLE = "unreadable"
    OVERRUN = "overrun"
    OUT_OF_RANGE = "out_of_range"
    NOT_A_NUMBER = "not_a_number"


class ConnectionState(StrEnum):
    """What a wire or radio is (`status-page-and-api`, 2.3)."""

    OK = "ok"
    QUIET = "quiet"
    GONE = "gone"
    BUSY = "busy"
    OFF = "off"


class DeviceFault(NoAnswerError):
    """One read of one device or point failed; the others did not.

    Args:
        reason: from the closed list.
        message: one sentence without the device's name, which the caller puts in front:
            "no answer at address 2 on rs485 (3 tries, 0.3 s each)".
        action: what to look at, one sentence.
    """

    def __init__(self, reason: Reason, message: str, *, action: str | None = None) -> None:
        super().__init__(message, action=action)
        self.reason = reason


class DriverError(NoAnswerError):
    """The connection cannot be used; the supervisor waits and runs the driver again.

    Args:
        state: GONE (adapter or host absent), BUSY (the port belongs to another program).
        message: one sentence without the connection's name.
    """

    def __init__(self, state: ConnectionState, message: str, *, action: str | None = None) -> None:
        super().__init__(message, action=action)
        self.state = state


class Sink(Protocol):
    """The driver's whole world."""

    def now(self) -> Instant:
        """The instant to stamp a sample with, taken when the answer is complete."""
        ...

    async def put(self, sample: Sample) -> None:
        """Accept one sample: from here on it is kept, or its loss is counted.

        Returns at once for ordinary samples (their commit follows within `site.may_lose`), after
        the commit for urgent ones, and waits while the buffer asks for it. A `put` that was
        cancelled has accepted nothing. A sample without values says "the device answered, and had
        nothing good to say".
        """
        ...

    def fault(self, device: str, point: str | None, error: DeviceFault) -> None:
        """Report that this device (or only this point of it) could not be read. Never blocks.

        `point=None` is one failed attempt of the device; a scheduled read that ends well is
        counted by its `put`.
        """
        ...


class Driver(Protocol):
    """Owns one connection."""

    async def run(self, sink: Sink) -> None:
        """Read until cancelled; stop within a second of that.

        Raises:
            DriverError: the connection is not there or was lost.
        """
        ...


class Opens(Protocol):
    """What the entry point `fieldpost.drivers` names."""

    def __call__(self, spec: Json, secrets: Mapping[str, Secret]) -> Driver:
        """Make the driver of one connection, without I/O.

        Args:
            spec: what this driver's `ConnectionKind.compile` returned.
            secrets: those named in the plan that could be read; a missing one is a device's fault,
                never a reason not to start.
        """
        ...


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
            NotWritableError: the profile does not allow it.
            ValidationError: the value is no value of this point, or outside its range.
            DeviceFault: it did not answer, refused, or shows another value than the one written.
            DriverError: the connection is not there.
        """
        ...


@dataclass(frozen=True, slots=True)
class Overheard:
    """One message of the conversation on a wire.

    Attributes:
        data: the bytes as they were sent or heard; empty when nothing came.
        says: the same in words: `1 <- read input 12, 2 registers`.
        sent: by us.
    """

    at: Instant
    data: bytes
    says: str
    sent: bool


@runtime_checkable
class Monitors(Protocol):
    """A driver that lets others listen to its wire."""

    def listen(self, hear: Callable[[Overheard], None]) -> Callable[[], None]:
        """Have every message told, from now on; the driver goes on as before.

        Args:
            hear: called on the loop, quickly done, never raises.

        Returns:
            what ends it.
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

        Waits for its turn between the scheduled reads. Nothing that changes a device is let through.

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
        asked, said: the frames as hex bytes in pairs; empty where there is none.
        means: what it says, for a person: `input 12..13 (30013)  power 2104.3 W`.
        ms: from the question's end to the answer's end, None where nothing was asked.
        fault: why there is no good answer: `no answer`, `wrong checksum`; empty when there is.
    """

    at: Instant
    device: str | None
    asked: str
    said: str
    means: str
    ms: float | None = None
    fault: str = ""


@runtime_checkable
class Monitors(Protocol):
    """A driver that can tell what passes on its connection while it runs."""

    def traffic(self) -> AsyncGenerator[Traffic, None]:
        """Everything from now on. A reader that is too slow misses the oldest, never the driver."""
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
