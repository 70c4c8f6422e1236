"""Numbers and times as people read them: `2 s`, `6 d 3 h`, `4.31 kW`, `18 422.7 kWh`."""

from collections.abc import Mapping
from datetime import datetime

from agent.sample import Value

NOT_MEASURED = "not measured"
UNKNOWN_AGE = "-"

_AGES = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"))  # the two largest that fit
_SECONDS_UP_TO_S = 120.0  # below, seconds say more than minutes
_MINUTES_UP_TO_S = 7_200.0

_SCREEN_UNITS: Mapping[str, str] = {"Cel": "C", "deg": "°", "Ohm": "ohm", "[degF]": "F"}
_SCALED = {"W": 1_000.0, "VA": 1_000.0, "var": 1_000.0, "Wh": 1_000.0}  # shown in thousands
_DECIMALS: Mapping[str, int] = {"Cel": 1, "m/s": 1}  # what such a sensor is good for
_ONE_DECIMAL_FROM = 10.0


def age(seconds: float | None) -> str:
    """How long ago, or how long: `2 s`, `3 min`, `6 d 3 h`; `-` for never."""
    if seconds is None:
        return UNKNOWN_AGE
    if seconds < _SECONDS_UP_TO_S:
        return f"{max(0, int(seconds))} s"
    if seconds < _MINUTES_UP_TO_S:
        return f"{int(seconds // 60)} min"
    for large, word, small, small_word in _AGES:
        if seconds >= large:
            rest = int(seconds % large // small)
            return f"{int(seconds // large)} {word}" + (f" {rest} {small_word}" if rest else "")
    raise AssertionError  # the last row begins below _MINUTES_UP_TO_S


def moment(time: str) -> str:
    """An RFC 3339 time for a person, in the zone of this machine: `2026-11-23 15:46`."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M")


def amount(number: float, word: str) -> str:
    """`1 reading`, `1 240 readings`."""
    return f"{spaced(number)} {word}" if number == 1 else f"{spaced(number)} {word}s"


def spaced(number: float, decimals: int = 0) -> str:
    """With a space between thousands."""
    return f"{number:,.{decimals}f}".replace(",", " ")


def value(thing: Value | None, unit: str | None) -> str:
    """One value with its unit, as short as it is useful."""
    if thing is None:
        return NOT_MEASURED
    if isinstance(thing, bool):
        return "yes" if thing else "no"
    return number(thing, unit) if isinstance(thing, int | float) else thing or "empty text"


def number(thing: float, unit: str | None) -> str:
    """One number with its unit; thousands of watts become kilowatts."""
    scale = _SCALED.get(unit or "", 0.0)
    if scale and abs(thing) >= scale:
        return f"{spaced(thing / scale, _decimals(thing / scale))} k{unit}"
    whole = unit == "%" or isinstance(thing, int)
    decimals = 0 if whole else _DECIMALS.get(unit or "", _decimals(thing))
    return f"{spaced(thing, decimals)} {screen_unit(unit)}".rstrip()


def screen_unit(unit: str | None) -> str:
    """A UCUM code as it is printed on instruments."""
    return _SCREEN_UNITS.get(unit or "", unit or "")


def size(count: float) -> str:
    """Bytes in powers of 1000: `1.3 MB`."""
    for word in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or word == "TB":  # noqa: PLR2004 - a thousand is a thousand
            break
        count /= 1000
    return (
        f"{count:.0f} {word}"
        if word == "B" or count >= _ONE_DECIMAL_FROM
        else f"{count:.1f} {word}"
    )


def share(part: float) -> str:
    """`82 %`."""
    return f"{part * 100:.0f} %"


def sentence(text: str, subject: str) -> str:
    """A message without the subject in front and the full stop behind: for a column."""
    return text.removeprefix(f"{subject}: ").removesuffix(".")


def seconds_between(earlier: str, later: str) -> float:
    """Between two RFC 3339 times of the daemon's answers."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def _decimals(number: float) -> int:
    return 1 if abs(number) >= _ONE_DECIMAL_FROM else 2
