"""Finding Modbus devices and registers, as the command line asks for it."""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

from agent import plan
from agent.driver import Asker, Candidate, Json, Place, Search, Step
from drivers.modbus.plan import Line
from drivers.modbus.probe import probe
from drivers.modbus.scan import scan

USUAL_LINES: Final = (
    "9600 8N1", "9600 8E1", "19200 8E1", "19200 8N1", "38400 8N1", "115200 8N1", "2400 8E1",
)  # fmt: skip


class ModbusFinder:
    """An `agent.driver.Finder`."""

    def lines(self, spec: Json) -> Sequence[str]:
        """Its own settings and those that instruments leave the factory with."""
        line = plan.from_json(Line, spec)
        if line.serial is None:
            return [""]
        return [*dict.fromkeys([line.serial.written, *USUAL_LINES])]

    def scan(self, asker: Asker, search: Search) -> AsyncGenerator[Step, None]:
        """Ask one address after the other."""
        return scan(asker, search)

    async def probe(self, asker: Asker, place: Place) -> Sequence[Candidate]:
        """The ways in which registers mean the expected value."""
        return await probe(asker, place)
