"""Where others listen to the conversation on a line; costs nothing while nobody does."""

from agent.clock import SystemClock
from agent.driver import Instant, Onlookers, Traffic
from drivers.modbus.frames import Damaged, Silent
from drivers.modbus.monitor import Telling
from drivers.modbus.plan import Line
from drivers.modbus.wire import Ask, Heard


class Tap(Onlookers):
    """Tells listeners of each exchange.

    Args:
        line: what passes on it is told in its words.
    """

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line
        self._telling: Telling | None = None
        self._clock: SystemClock | None = None

    def heard(self, ask: Ask, heard: Heard) -> None:
        """An answer came."""
        unit, telling = ask.request.unit, self._words()
        means = telling.answer(unit, ask.request.pdu, heard.pdu)
        self._tell(ask, (heard.asked, heard.answered), means, ms=heard.took_s * 1000)

    def missed(self, ask: Ask, frame: bytes, error: Silent | Damaged) -> None:
        """No answer came, or none that is one."""
        if isinstance(error, Damaged):
            self._tell(ask, (frame, error.heard), "", fault=error.what)
        else:
            self._tell(ask, (frame, b""), "", fault="no answer")

    def _tell(
        self,
        ask: Ask,
        frames: tuple[bytes, bytes],
        means: str,
        *,
        ms: float | None = None,
        fault: str = "",
    ) -> None:
        unit, telling = ask.request.unit, self._words()
        asked, said = (frame.hex(" ").upper() for frame in frames)
        traffic = Traffic(
            at=self._now(),
            device=telling.device(unit),
            asked=asked,
            said=said,
            means=means,
            request=telling.question(unit, ask.request.pdu),
            ms=None if ms is None else round(ms, 1),
            fault=fault,
        )
        self.tell(traffic)

    def _now(self) -> Instant:
        if self._clock is None:
            self._clock = SystemClock()
        return self._clock.now()

    def _words(self) -> Telling:
        if self._telling is None:
            self._telling = Telling(self._line)
        return self._telling
