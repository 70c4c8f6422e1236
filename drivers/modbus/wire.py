"""What carries one exchange, request and answer: a serial line or a TCP connection."""

from dataclasses import dataclass
from typing import Protocol

from drivers.modbus.requests import Request


@dataclass(frozen=True, slots=True)
class Ask:
    """One request and how patient to be.

    Attributes:
        timeout_s: for the answer to begin, from the moment the request has left.
        gap_s: silence to keep before the request.
        repeatable: asking twice does no harm; a write is never repeated by itself.
    """

    request: Request
    timeout_s: float
    gap_s: float = 0.0
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Heard:
    """A whole answer.

    Attributes:
        pdu: function code and data.
        asked, answered: the frames, for people.
        took_s: from the request's leaving to the answer's end.
        late: it came only after the timeout, while the line was kept quiet.
    """

    pdu: bytes
    asked: bytes
    answered: bytes
    took_s: float
    late: bool = False


class Wire(Protocol):
    """One exchange at a time; the caller sees to that."""

    async def open(self) -> None:
        """Take the port or connect.

        Raises:
            DriverError: it is not there, or belongs to another program.
        """
        ...

    async def exchange(self, ask: Ask) -> Heard:
        """Send a request and wait for its answer.

        When none comes, the wire stays quiet until a late one can no longer be taken for the
        answer to the next request. A cancelled exchange never spoils the next one.

        Raises:
            Silent: nothing came.
            Damaged: something came that is no answer.
            DriverError: the wire was lost.
        """
        ...

    async def close(self) -> None:
        """Let it go; never raises."""
        ...
