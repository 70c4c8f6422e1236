"""Lines that a pattern or a delimiter takes apart: pure, no I/O, no clock."""

import re
from collections.abc import Iterator, Mapping

from agent.driver import DeviceFault, Reason
from drivers.serial_line.plan import Found, Pick, Speaker
from drivers.serial_line.words import number, quoted, scaled

UNWANTED = "-"


class Text:
    """Reads the lines of one device by a regular expression or by columns.

    Args:
        speaker: its prefix, pattern or columns, and points.
    """

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._pattern = re.compile(speaker.pattern) if speaker.pattern else None

    def claims(self, line: str) -> bool:
        """Whether this line is one of this device."""
        return line.startswith(self._speaker.prefix)

    def decode(self, line: str) -> Iterator[tuple[Pick, Found | DeviceFault]]:
        """The points that this line brings.

        Raises:
            DeviceFault: UNREADABLE when the line does not fit.
        """
        parts = self._parts(line.removeprefix(self._speaker.prefix))
        if parts is None:
            message = f"{quoted(line)} does not fit the profile"
            action = "Look at `line:`, and at the profile:  fieldpost read DEVICE --raw"
            raise DeviceFault(Reason.UNREADABLE, message, action=action)
        for pick in self._speaker.picks:
            raw = parts.get(pick.source)
            if raw:
                yield pick, _value(raw.strip(), pick)

    def inspect(self, line: str) -> None:
        """Lines with another prefix are none of our business."""

    def _parts(self, line: str) -> Mapping[str, str | None] | None:
        """Text by group or column; None when the line does not fit."""
        if self._pattern is not None:
            match = self._pattern.fullmatch(line.strip())
            return match.groupdict() if match else None
        columns = line.split(self._speaker.delimiter)
        if len(columns) != len(self._speaker.columns):
            return None
        return dict(zip(self._speaker.columns, columns, strict=True))


def _value(raw: str, pick: Pick) -> Found | DeviceFault:
    if pick.text:
        return Found(raw, raw)
    try:
        return Found(scaled(number(raw), pick.scale, pick.offset), raw)
    except DeviceFault as fault:
        return fault
