"""One NMEA 0183 sentence becomes values: pure, no I/O, no clock.

Fields are those of pynmea2; sentences it does not know are declared here, from NMEA 0183 version
3.01, in the way it offers for that. A letter beside a value says its unit (MWV: K, M or N), and the
value is converted to the unit the point has.
"""

import contextlib
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

import pynmea2  # type: ignore[import-untyped]  # it has no types

from agent.driver import DeviceFault, Reason
from drivers.serial_line.plan import Found, Pick, Speaker
from drivers.serial_line.words import number, quoted, scaled

STARTS: Final = ("$", "!")
POSITIONS: Final = {"latitude": "lat_dir", "longitude": "lon_dir"}  # pynmea2 says 0.0 without fix
GROUP: Final = 4  # an XDR sentence repeats type, value, unit, id
# (letter in the sentence, unit of the point) → scale, offset
UNITS: Final[Mapping[tuple[str, str], tuple[float, float]]] = {
    ("M", "m/s"): (1.0, 0.0),
    ("K", "m/s"): (1 / 3.6, 0.0),
    ("N", "m/s"): (1852 / 3600, 0.0),
    ("S", "m/s"): (0.44704, 0.0),
    ("K", "km/h"): (1.0, 0.0),
    ("M", "km/h"): (3.6, 0.0),
    ("N", "km/h"): (1.852, 0.0),
    ("S", "km/h"): (1.609344, 0.0),
    ("C", "Cel"): (1.0, 0.0),
    ("F", "Cel"): (5 / 9, -160 / 9),
    ("K", "Cel"): (1.0, -273.15),
    ("B", "hPa"): (1000.0, 0.0),
    ("P", "hPa"): (0.01, 0.0),
    ("I", "hPa"): (33.86389, 0.0),
    ("B", "bar"): (1.0, 0.0),
    ("P", "bar"): (0.00001, 0.0),
    ("P", "Pa"): (1.0, 0.0),
    ("B", "Pa"): (100_000.0, 0.0),
    ("P", "%"): (1.0, 0.0),
    ("D", "deg"): (1.0, 0.0),
    ("M", "m"): (1.0, 0.0),
    ("F", "m"): (0.3048, 0.0),
    ("V", "V"): (1.0, 0.0),
}


class MTA(pynmea2.TalkerSentence):  # type: ignore[misc]  # pynmea2 has no types
    """Air temperature."""

    fields = (("Temperature", "temperature", Decimal), ("Unit", "units"))


class MHU(pynmea2.TalkerSentence):  # type: ignore[misc]  # pynmea2 has no types
    """Humidity."""

    fields = (
        ("Relative humidity", "rel_humidity", Decimal),
        ("Absolute humidity", "abs_humidity", Decimal),
        ("Dew point", "dew_point", Decimal),
        ("Unit", "dew_point_units"),
    )


class MMB(pynmea2.TalkerSentence):  # type: ignore[misc]  # pynmea2 has no types
    """Barometer."""

    fields = (
        ("Pressure in inches of mercury", "pressure_inch", Decimal),
        ("Unit", "inches"),
        ("Pressure in bars", "pressure_bar", Decimal),
        ("Unit", "bars"),
    )


class Nmea:
    """Reads the sentences of one device.

    Args:
        speaker: its talker and points.
    """

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._wanted = {pick.sentence for pick in speaker.picks}

    def claims(self, line: str) -> bool:
        """Whether this line looks like one of this device: its talker and one of its sentences."""
        head = line[1:].partition(",")[0]
        ours = self._speaker.talker in (None, head[:2])
        return line.startswith(STARTS) and ours and head[2:] in self._wanted

    def decode(self, line: str) -> Iterator[tuple[Pick, Found | DeviceFault]]:
        """The points that this sentence brings.

        Raises:
            DeviceFault: DAMAGED when the checksum is wrong or missing, UNREADABLE otherwise.
        """
        sentence = self._parse(line)
        if not _valid(sentence):
            return  # the instrument itself says that this measurement does not count
        for pick in self._speaker.picks:
            if pick.sentence == sentence.sentence_type and _counts(sentence, pick):
                yield from _found(sentence, pick)

    def inspect(self, line: str) -> None:
        """Look at a line that nobody claims: another sentence is fine, noise is not.

        Raises:
            DeviceFault: it is damaged, or no sentence at all.
        """
        if line[1:2] != "P":  # a maker's own sentence, or a query
            with contextlib.suppress(pynmea2.SentenceTypeError):
                self._parse(line)

    def _parse(self, line: str) -> pynmea2.TalkerSentence:
        try:
            found = pynmea2.parse(line, check=self._speaker.checksum)
        except pynmea2.ChecksumError as error:
            message = f"damaged: the checksum of {quoted(line)} is wrong or missing"
            raise DeviceFault(Reason.DAMAGED, message) from error
        except pynmea2.SentenceTypeError:
            raise
        except ValueError as error:  # pynmea2.ParseError and what its fields raise
            raise _foreign(line) from error
        if not isinstance(found, pynmea2.TalkerSentence):
            raise _foreign(line)
        return found


def fields(sentence: str) -> list[str]:
    """Names of the fields of a sentence, so that a profile can be checked before it is used."""
    found = pynmea2.TalkerSentence.sentence_types[sentence]
    positions = [name for name in POSITIONS if hasattr(found, name)]
    return [*positions, *found.name_to_idx]


def sentences() -> list[str]:
    """The sentences that can be read."""
    return sorted(pynmea2.TalkerSentence.sentence_types)


def _foreign(line: str) -> DeviceFault:
    return DeviceFault(Reason.UNREADABLE, f"{quoted(line)} is not a sentence of NMEA 0183")


def _valid(sentence: pynmea2.TalkerSentence) -> bool:
    """Whether the instrument vouches for its measurement.

    For RMC only its status counts: receivers that speak NMEA 4.1 write "V" for a navigational
    status they do not provide, which pynmea2 takes for an invalid position.
    """
    if isinstance(sentence, pynmea2.RMC):
        return bool(sentence.status == "A")
    try:
        return bool(getattr(sentence, "is_valid", True))
    except (ValueError, TypeError):  # worked out from a field that is empty
        return False


def _counts(sentence: pynmea2.TalkerSentence, pick: Pick) -> bool:
    return all(getattr(sentence, field, "") == wanted for field, wanted in pick.when)


def _found(
    sentence: pynmea2.TalkerSentence, pick: Pick
) -> Iterator[tuple[Pick, Found | DeviceFault]]:
    """The value of one point, unless the instrument left its field empty."""
    read = _transducer if pick.transducer else _field
    raw, letter = read(sentence, pick)
    if raw == "":
        return
    try:
        yield pick, Found(raw if pick.text else _converted(raw, letter, pick), raw)
    except DeviceFault as fault:
        yield pick, fault


def _field(sentence: pynmea2.TalkerSentence, pick: Pick) -> tuple[str, str]:
    """Text of the field and of its unit; empty when the sentence is shorter, or it is damaged."""
    letter = getattr(sentence, pick.unit_field) if pick.unit_field else ""
    if pick.source in POSITIONS and not getattr(sentence, POSITIONS[pick.source]):
        return "", ""
    try:
        found = getattr(sentence, pick.source)
    except (ValueError, InvalidOperation):  # latitude and the like are worked out at this moment
        return "?", ""
    return "" if found is None else str(found), letter


def _transducer(sentence: pynmea2.TalkerSentence, pick: Pick) -> tuple[str, str]:
    """Value and unit of the transducer with this id, or of this type when it has no id."""
    data = sentence.data
    for at in range(0, len(data) - GROUP + 1, GROUP):
        kind, value, unit, name = data[at : at + GROUP]
        if pick.source in (name, kind):
            return value, unit
    return "", ""


def _converted(raw: str, letter: str, pick: Pick) -> float | int:
    value = number(raw)
    if letter or pick.unit_field:
        factor = UNITS.get((letter, pick.unit or ""))
        if factor is None:
            message = f"the unit '{letter}' of {pick.source} cannot be turned into {pick.unit}"
            raise DeviceFault(Reason.UNREADABLE, message)
        value = scaled(value, *factor)
    return scaled(value, pick.scale, pick.offset)
