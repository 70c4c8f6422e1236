"""Readings on a screen: one line each, and the frames they came in."""

from collections.abc import Iterator, Sequence

from agent.cli import words
from agent.plan import Json

DETAILS = ("source", "raw", "form")
FRAMES = ("request", "answer")
DIGITS = 7  # all that a 32 bit float holds
GAP = "  "


def screen(readings: Sequence[Json], *, raw: bool) -> Iterator[str]:
    """The lines for one round of readings."""
    rows = [_row(reading, raw=raw) for reading in readings]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width)
        yield GAP.join(cells).rstrip()
    if raw:
        frames = {(r["request"], r["answer"]): None for r in readings if r.get("request")}
        yield from (f"   -> {asked}      <- {said or 'nothing'}" for asked, said in frames)


def document(device: str, reading: Json, *, raw: bool) -> Json:
    """One reading for programs."""
    wanted = ("point", "value", "unit", "quality", "time", "ms")
    details = (*DETAILS, *FRAMES) if raw else ()
    return {"device": device} | {key: reading.get(key) for key in (*wanted, *details)}


def _row(reading: Json, *, raw: bool) -> list[str]:
    details = [reading.get(key) or "" for key in DETAILS] if raw else []
    value = _exact(reading["value"], words.screen_unit(reading["unit"]))
    return [reading["point"], value, reading["quality"], *details, f"{reading['ms']:.0f} ms"]


def _exact(value: object, unit: str) -> str:
    if isinstance(value, bool) or value is None:
        return "no value" if value is None else words.value(value, None)
    number = f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
    return f"{number} {unit}".rstrip()
