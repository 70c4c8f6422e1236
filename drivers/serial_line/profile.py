"""A profile of a device that speaks in lines of text (`kind: serial-lines`)."""

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from agent.prepare.kinds import ProfileSettings, Settings
from agent.prepare.points import PointSettings
from agent.prepare.types import Number, Switch, as_text, closest, refuse, text
from drivers.serial_line import nmea
from drivers.serial_line.text import UNWANTED

DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "blanks": None}


def read_delimiter(value: Any) -> str | None:
    """`comma`, `semicolon`, `tab`, `blanks`, or the character itself."""
    written = text(value)
    if written in DELIMITERS:
        return DELIMITERS[written]
    if len(written) != 1:
        words = ", ".join(DELIMITERS)
        refuse(f"'{written}' is not a delimiter", fix=f"write one character, or one of {words}")
    return written


def read_columns(value: Any) -> tuple[str, ...]:
    """Names of the columns in their order, with blanks between; `-` for one nobody wants."""
    return tuple(text(value).replace(",", " ").split())


def read_pattern(value: Any) -> str:
    """A regular expression with named groups."""
    written = text(value)
    try:
        groups = re.compile(written).groupindex
    except re.error as error:
        refuse(f"the pattern is not a regular expression: {error}", fix="look at its brackets")
    if not groups:
        refuse("the pattern has no named groups", fix=r"write them like (?P<temperature>-?\d+)")
    return written


def read_obis(value: Any) -> str:
    """`1-0:1.8.1`: medium-channel:measurement, as IEC 62056-61 writes it."""
    written = text(value)
    if not re.fullmatch(r"\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}", written, re.ASCII):
        refuse(f"'{written}' is not an OBIS code", fix="write it like 1-0:1.8.1")
    return written


def conditions(value: Any) -> tuple[tuple[str, str], ...]:
    """`reference=R status=A` → pairs."""
    pairs = [part.partition("=") for part in text(value).split()]
    if any(not sign for _, sign, _ in pairs):
        refuse(f"'{value}' is not a condition", fix="write FIELD=VALUE, like reference=R")
    return tuple((field, wanted) for field, _, wanted in pairs)


class LinePoint(PointSettings):
    """One value: where in a line it stands, and what it is.

    Which keys say where depends on `lines`: `sentence` with `field` or `transducer` for NMEA,
    `obis` for DSMR, `group` for a pattern, `column` for a delimiter; without one of the last two
    the point's own name counts.
    """

    sentence: str | None = None
    field: str | None = None
    transducer: str | None = None
    unit_field: str | None = None
    when: Annotated[
        tuple[tuple[str, str], ...], PlainValidator(conditions), as_text(r"^\S+=\S+( \S+=\S+)*$")
    ] = ()
    obis: Annotated[str, PlainValidator(read_obis), as_text(r"^\d+-\d+:\d+\.\d+\.\d+$")] | None = (
        None
    )
    group: str | None = None
    column: str | None = None
    form: Literal["number", "text"] = Field("number", alias="as")
    scale: Number = 1.0
    offset: Number = 0.0


class LineTest(Settings):
    """Golden lines: what the device sends, and what must come out of it.

    `line` holds one line of text, or sentences of NMEA or lines of a telegram with blanks between.
    """

    line: str
    expect: dict[str, str]


class LinesProfile(ProfileSettings):
    """A profile file of `kind: serial-lines`."""

    lines: Literal["text", "nmea", "dsmr"] = "text"
    talker: str | None = None
    checksum: Switch = True
    prefix: str = ""
    pattern: Annotated[str, PlainValidator(read_pattern), as_text("")] | None = None
    delimiter: Annotated[str | None, PlainValidator(read_delimiter), as_text("")] = None
    columns: Annotated[tuple[str, ...], PlainValidator(read_columns), as_text("")] = ()
    points: dict[str, LinePoint]
    test: LineTest | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.points:
            refuse("the profile has no points", fix="add  points: {temperature: {unit: Cel}}")
        if self.lines == "nmea":
            for name, point in self.points.items():
                _check_nmea(name, point)
        elif self.lines == "dsmr":
            for name, point in self.points.items():
                if point.obis is None:
                    refuse(f"'{name}' does not say its code", fix="add  obis: 1-0:1.8.1")
        else:
            self._check_text()
        return self

    def _check_text(self) -> None:
        if (self.pattern is None) == (not self.columns):
            message = "the profile has to say how a line is taken apart"
            refuse(message, fix="write either pattern: or columns: (with delimiter:)")
        known = list(re.compile(self.pattern).groupindex) if self.pattern else list(self.columns)
        what = "group" if self.pattern else "column"
        for name, point in self.points.items():
            source = point.group or point.column or name
            if source not in known or source == UNWANTED:
                _unknown(
                    f"'{name}' comes from a {what} '{source}' that is not there", source, known
                )


def _check_nmea(name: str, point: LinePoint) -> None:
    if point.sentence is None:
        refuse(f"'{name}' does not say which sentence it is in", fix="add  sentence: MWV")
    if point.sentence not in nmea.sentences():
        message = f"'{point.sentence}' is not a sentence we can read"
        _unknown(message, point.sentence, nmea.sentences())
    wanted = [field for field, _ in point.when]
    wanted += [] if point.transducer else [point.field or name]
    wanted += [point.unit_field] if point.unit_field else []
    for field in wanted:
        if field not in nmea.fields(point.sentence):
            message = f"'{name}': {point.sentence} has no field '{field}'"
            _unknown(message, field, nmea.fields(point.sentence))


def _unknown(message: str, wrong: str, known: list[str]) -> None:
    near = closest(wrong, known)
    refuse(message, note=f"known: {', '.join(known)}", fix=near and f"did you mean {near}?")
