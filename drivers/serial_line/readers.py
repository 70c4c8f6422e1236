"""Which reader and which framing belong to what a device writes."""

from drivers.serial_line.dsmr import Dsmr, Telegrams
from drivers.serial_line.frames import Framer
from drivers.serial_line.nmea import Nmea
from drivers.serial_line.plan import LinePlan, Speaker
from drivers.serial_line.text import Text

Reader = Text | Nmea | Dsmr


def reader(speaker: Speaker) -> Reader:
    """What reads the lines of this device."""
    if speaker.lines == "nmea":
        return Nmea(speaker)
    return Dsmr(speaker) if speaker.lines == "dsmr" else Text(speaker)


def framer_of(plan: LinePlan) -> Framer | Telegrams:
    """What cuts the bytes of this line into pieces: lines, or whole telegrams."""
    telegrams = any(speaker.lines == "dsmr" for speaker in plan.speakers)
    return Telegrams() if telegrams else Framer()
