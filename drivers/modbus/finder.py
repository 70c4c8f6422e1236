"""Finding Modbus devices and registers, as the command line asks for it."""

from collections.abc import AsyncGenerator, Sequence

from agent.driver import Asker, Candidate, Place, Search, Step
from drivers.modbus.probe import probe
from drivers.modbus.scan import scan


class ModbusFinder:
    """An `agent.driver.Finder`."""

    def scan(self, asker: Asker, search: Search) -> AsyncGenerator[Step, None]:
        """Ask one address after the other."""
        return scan(asker, search)

    async def probe(self, asker: Asker, place: Place) -> Sequence[Candidate]:
        """The ways in which registers mean the expected value."""
        return await probe(asker, place)
