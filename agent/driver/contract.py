"""What every driver is given and has to do, and how it says what failed."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from agent.errors import NoAnswerError
from agent.plan import Json
from agent.sample import Instant, Sample
from agent.secret import Secret


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
