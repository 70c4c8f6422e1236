"""Medians of rows, and ratios to the rows of one name."""

import statistics
from typing import Any

Row = dict[str, Any]


def medians(rows: list[Row], keys: list[str], against: str | None = None) -> str:
    """A table of medians per key; with AGAINST, each as a ratio to the rows of that name too."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(k) for k in keys), []).append(row)
    fields = [f for f in dict.fromkeys(f for row in rows for f in row) if f not in keys]
    fields = [f for f in fields if any(_median(g, f) is not None for g in groups.values())]
    base = next((g for key, g in groups.items() if against in key), None)
    lines = [" | ".join([*keys, *fields, "n"])]
    for key, group in groups.items():
        cells = [_cell(group, base, field) for field in fields]
        lines.append(" | ".join([*(str(k) for k in key), *cells, str(len(group))]))
    return "\n".join(lines)


def by_case(rows: list[Row]) -> list[Row]:
    """One row of medians for each `case`, and of how many rounds."""
    result = []
    for case in dict.fromkeys(row["case"] for row in rows):
        same = [row for row in rows if row["case"] == case]
        keys = [key for key in same[0] if key != "case"]
        middle = {key: round(statistics.median(row[key] for row in same), 4) for key in keys}
        result.append({"case": case} | middle | {"rounds": len(same)})
    return result


def _cell(group: list[Row], base: list[Row] | None, field: str) -> str:
    mine = _median(group, field)
    theirs = _median(base, field) if base and group is not base else None
    if mine is None:
        return "-"
    return f"{mine:.4g}" + (f" ({mine / theirs:.2f}x)" if theirs else "")


def _median(group: list[Row], field: str) -> float | None:
    values = [row.get(field) for row in group]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return statistics.median(numbers) if numbers else None
