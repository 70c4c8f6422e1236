"""Reading through somebody else's wire: the daemon's, while it goes on reading."""

from typing import Final

from agent import plan
from agent.clock import SystemClock
from agent.driver import Asker, DeviceFault, Json, Question, Reading, Reason
from drivers.modbus.bus import Bus
from drivers.modbus.demand import Demand
from drivers.modbus.frames import Damaged, RtuFraming, Silent
from drivers.modbus.plan import Line
from drivers.modbus.requests import Request
from drivers.modbus.station import Station
from drivers.modbus.wire import Ask, Heard

FRAMED: Final = RtuFraming()  # how questions are shown; how they travel is the asker's matter


class BorrowedWire:
    """A `Wire` that is an asker's.

    Args:
        asker: open for as long as this is used.
    """

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._clock = SystemClock()

    async def open(self) -> None:
        """It is open."""

    async def close(self) -> None:
        """It is somebody else's."""

    async def exchange(self, ask: Ask) -> Heard:
        """One question and its answer."""
        began_s = self._clock.monotonic_s()
        request = ask.request
        question = Question(request.unit, request.pdu, ask.timeout_s, force=True)
        try:
            pdu = await self._asker.ask(question)
        except DeviceFault as fault:
            if fault.reason is Reason.NO_ANSWER:
                raise Silent from fault
            raise Damaged(fault.message, b"") from fault
        took_s = self._clock.monotonic_s() - began_s
        answered = FRAMED.frame(Request(request.unit, pdu, b"", 0), 0)
        return Heard(pdu, FRAMED.frame(request, 0), answered, took_s)


class Borrowed:
    """The devices of a plan, read through an asker.

    Args:
        spec: of the connection; only its devices matter.
        asker: open for as long as this is used.
    """

    def __init__(self, spec: Json, asker: Asker) -> None:
        self._line = plan.from_json(Line, spec)
        self._bus = Bus(self._line, BorrowedWire(asker))
        self._stations = {unit.device: Station(unit) for unit in self._line.units}

    async def read(self, device: str, point: str | None) -> list[Reading]:
        """See `agent.driver.Reads`."""
        async with self._bus as bus:
            return [*await Demand(self._line, self._stations[device], bus, None).read(point)]
