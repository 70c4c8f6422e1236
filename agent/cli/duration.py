"""Times on the command line, written as in the file: `300ms`, `10s`, `5min`, `1h`."""

import re
from collections.abc import Mapping

import click

UNITS_S: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*(ms|s|min|h|d)", re.ASCII)


class Duration(click.ParamType[float]):
    """A time with its unit, in seconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it; a default is given as a number already."""
        if isinstance(value, float):
            return value
        found = _QUANTITY.fullmatch(str(value))
        if found is None:
            self.fail(f"'{value}' is not a time: write it like 300ms, 10s or 5min", param, ctx)
        seconds = float(found[1]) * UNITS_S[found[2]]
        if seconds <= 0:
            self.fail("a time has to be longer than nothing", param, ctx)
        return seconds
