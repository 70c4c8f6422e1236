"""Plain tables that fit 80 columns: widths from the content, one column gives way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

WIDTH = 80
GAP = 3
COLORS = {
    "ok": "green", "OK": "green", "pass": "green",
    "late": "yellow", "waiting": "yellow", "ATTENTION": "yellow", "warn": "yellow",
    "slow": "yellow", "rejecting": "yellow", "used-up": "yellow", "starting": "cyan",
    "lost": "red", "never": "red", "bad-data": "red", "refused": "red", "stalled": "red",
    "PROBLEM": "red", "fail": "red", "error": "red", "FAIL": "red",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        least: it is never narrower.
        most: it is cut to this.
        gives_way: it is cut further when the line is too long.
        state: its words have colours.
    """

    title: str
    least: int = 0
    most: int = WIDTH
    gives_way: bool = False
    state: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """All rows under their titles."""
    widths = _widths(columns, rows)
    lines = [_line(columns, widths, [c.title for c in columns], titles=True)]
    lines += [_line(columns, widths, row) for row in rows]
    return "\n".join(lines)


def wrapped(title: str, items: Sequence[str], indent: int = 10) -> Iterator[str]:
    """Items after a title, on one line with two or three spaces between them or on several."""
    for gap in (GAP, GAP - 1):
        line = title.ljust(indent) + (" " * gap).join(items)
        if _length(line) <= WIDTH:
            yield line
            return
    line = title.ljust(indent)
    for item in items:
        if _length(line + item) > WIDTH and line.strip():
            yield line.rstrip()
            line = " " * indent
        line += item + " " * GAP
    yield line.rstrip()


def word(state: str) -> str:
    """A word of state in its colour; the word says it all without."""
    return click.style(state, fg=COLORS[state]) if state in COLORS else state


def cut(text: str, width: int) -> str:
    """At most so many characters, and seen to be cut."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def _length(text: str) -> int:
    return len(click.unstyle(text))


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    widths = [
        min(c.most, max(c.least, len(c.title), *(len(row[i]) for row in rows), 0))
        for i, c in enumerate(columns)
    ]
    over = sum(widths) + GAP * (len(widths) - 1) - WIDTH
    for i, column in enumerate(columns):
        if column.gives_way and over > 0:
            widths[i] = max(len(column.title), widths[i] - over)
    return widths


def _line(
    columns: Sequence[Column], widths: Sequence[int], row: Sequence[str], *, titles: bool = False
) -> str:
    cells = []
    for column, width, text in zip(columns, widths, row, strict=True):
        cell = cut(text, width)
        shown = word(cell) if column.state and not titles else cell
        cells.append(shown + " " * (width - len(cell)))
    return (" " * GAP).join(cells).rstrip()
