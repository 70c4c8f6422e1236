"""What `settings` compiles and the driver runs: one serial line, and who speaks on it how."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.sample import Value


@dataclass(frozen=True, slots=True)
class Pick:
    """One point, and where in a line it stands.

    Attributes:
        source: NMEA: name of the field (`wind_speed`) or id of the transducer; DSMR: OBIS code;
            else the group of the pattern or the name of the column.
        sentence: NMEA: the three letters of the sentence (`MWV`).
        transducer: NMEA: `source` is the id or type of a transducer in an `XDR` sentence.
        unit_field: NMEA: the field with the letter of the unit, which is converted to `unit`.
        when: NMEA: fields and what they must say for the value to count.
        text: the value stays text instead of becoming a number.
        scale, offset: value = number x scale + offset.
        unit: UCUM code or None.
        low, high: plausible range, for reads on demand.
    """

    point: str
    source: str
    sentence: str = ""
    transducer: bool = False
    unit_field: str | None = None
    when: Sequence[tuple[str, str]] = ()
    text: bool = False
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Speaker:
    """One device on the line: which lines are its own, and what is in them.

    Attributes:
        talker: NMEA: only sentences of this talker (`WI`); None takes any.
        lines: `text`, `nmea` (NMEA 0183) or `dsmr` (telegrams of a P1 port); with the last two,
            `prefix`, `pattern` and `columns` are unused.
        checksum: NMEA, DSMR: refuse what has none.
        prefix: only lines that begin so; it is taken off before the rest is looked at.
        pattern: regular expression that must fit the whole line, with named groups.
        delimiter: what stands between columns; None is any run of blanks.
        columns: their names in order; "-" is a column that nobody wants.
    """

    device: str
    picks: Sequence[Pick]
    lines: str = "text"
    talker: str | None = None
    checksum: bool = True
    prefix: str = ""
    pattern: str | None = None
    delimiter: str | None = None
    columns: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LinePlan:
    """One port.

    Attributes:
        parity: `N`, `E` or `O`.
    """

    port: str
    baud: int
    data_bits: int
    parity: str
    stop_bits: int
    speakers: Sequence[Speaker]

    @property
    def line(self) -> str:
        """As it stands in the file: `4800 8N1`."""
        return f"{self.baud} {self.data_bits}{self.parity}{self.stop_bits}"


@dataclass(frozen=True, slots=True)
class Found:
    """One value of one line.

    Attributes:
        raw: the text it was read from.
    """

    value: Value
    raw: str
