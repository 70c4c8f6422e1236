"""What is heard on a line, for those who look on."""

from agent.driver import DeviceFault, Instant, Onlookers, Traffic
from drivers.serial_line.words import SHOWN


class Tap(Onlookers):
    """Costs nothing while nobody looks."""

    def heard(
        self, at: Instant, device: str | None, text: str, fault: DeviceFault | None = None
    ) -> None:
        """One line, and what is wrong with it."""
        if not self:
            return
        said = text.encode("utf-8", errors="replace").hex(" ").upper()
        why = fault.message if fault else ""
        self.tell(Traffic(at, device, "", said, text[:SHOWN], fault=why))
