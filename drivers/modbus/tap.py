"""What is said on a line, in words, for whoever listens: `fieldpost monitor`, recordings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agent.clock import SystemClock
from agent.driver import Instant
from drivers.modbus.faults import EXCEPTIONS
from drivers.modbus.frames import Damaged, Silent
from drivers.modbus.requests import REFUSAL, Request
from drivers.modbus.wire import Ask, Heard

NAMES: Final = {
    1: "read coil", 2: "read discrete", 3: "read holding", 4: "read input", 5: "write coil",
    6: "write holding", 15: "write coils", 16: "write holdings", 22: "mask holding",
    43: "who are you",
}  # fmt: skip
READS: Final = frozenset({1, 2, 3, 4})
BITS: Final = frozenset({1, 2})


@dataclass(frozen=True, slots=True)
class Overheard:
    """One message of the conversation on a line.

    Attributes:
        data: the bytes as they were sent or heard; empty when nothing came.
        says: the same in words: `1 <- read input 12, 2 registers`.
        sent: by us.
    """

    at: Instant
    data: bytes
    says: str
    sent: bool


Hear = Callable[[Overheard], None]


class Tap:
    """Tells listeners of each exchange, and costs nothing while there are none."""

    def __init__(self) -> None:
        self._hear: list[Hear] = []
        self._now = SystemClock().now

    def __bool__(self) -> bool:
        return bool(self._hear)

    def open(self, hear: Hear) -> Callable[[], None]:
        """Tell this one from now on; what is returned ends it."""
        self._hear.append(hear)

        def close() -> None:
            if hear in self._hear:
                self._hear.remove(hear)

        return close

    def asked(self, ask: Ask, frame: bytes) -> None:
        """We have said something."""
        self._tell(frame, question(ask.request), sent=True)

    def answered(self, ask: Ask, heard: Heard) -> None:
        """The answer came."""
        late = ", late" if heard.late else ""
        says = f"{answer(ask.request, heard.pdu)} ({heard.took_s * 1000:.0f} ms{late})"
        self._tell(heard.answered, says, sent=False)

    def missed(self, ask: Ask, error: Silent | Damaged) -> None:
        """No answer came, or none that is one."""
        unit = ask.request.unit
        if isinstance(error, Damaged):
            self._tell(error.heard, f"{unit} -> damaged: {error.what}", sent=False)
        else:
            self._tell(b"", f"{unit} -> no answer", sent=False)

    def _tell(self, data: bytes, says: str, *, sent: bool) -> None:
        overheard = Overheard(self._now(), data, says, sent)
        for hear in list(self._hear):
            hear(overheard)


def question(request: Request) -> str:
    """`1 <- read input 12, 2 registers`."""
    name = NAMES.get(request.function, f"function {request.function}")
    pdu = request.pdu
    if request.function in READS:
        address, count = (int.from_bytes(pdu[i : i + 2]) for i in (1, 3))
        what = "bit" if request.function in BITS else "register"
        return f"{request.unit} <- {name} {address}, {count} {what}{'s' if count > 1 else ''}"
    if len(pdu) > 5:  # noqa: PLR2004 -- an address and a value
        return f"{request.unit} <- {name} {int.from_bytes(pdu[1:3])}: {pdu[3:].hex(' ').upper()}"
    return f"{request.unit} <- {name} {pdu[1:].hex(' ').upper()}"


def answer(request: Request, pdu: bytes) -> str:
    """`1 -> 4503 84CD`."""
    if pdu[0] & REFUSAL:
        why = EXCEPTIONS.get(pdu[1], "unknown reason")
        return f"{request.unit} -> refuses: {why} (exception {pdu[1]})"
    if request.function in READS:
        group = 1 if request.function in BITS else 2
        return f"{request.unit} -> {pdu[2:].hex(' ', group).upper()}"
    return f"{request.unit} -> {pdu[1:].hex(' ').upper()}"
