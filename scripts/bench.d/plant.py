"""The gateway's configuration, made from templates for a plant of any size.

Placeholders are upper-case words in braces. Lines between `#@devices` and `#@end` are repeated per
device with {D} (0..) and {DEVICE_PORT}; within them, those between `#@points` and `#@end` per
point with {P} (1..) and {REGISTER}. Point 0, the uint32 mark at holding registers 0 and 1, is
written out in the template: it is what lost polls are found with. Points 1.. are uint16.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN = re.compile(r"\s*#@(devices|points)\s*$")
END = re.compile(r"\s*#@end\s*$")
Values = Mapping[str, Any]


def write(template: Path, target: Path, values: Values) -> None:
    """One file from its template; `values` has DEVICES, POINTS, MODBUS_PORT among others."""
    base = values["MODBUS_PORT"]
    repeat: dict[str, Sequence[Values]] = {
        "devices": [{"D": d, "DEVICE_PORT": base + d} for d in range(values["DEVICES"])],
        "points": [{"P": p, "REGISTER": p + 1} for p in range(1, values["POINTS"])],
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = expanded(template.read_text().splitlines(), values, repeat)
    target.write_text("\n".join(lines) + "\n")


def filled(text: str, values: Values) -> str:
    """The text with every known placeholder replaced."""
    return re.sub(r"\{([A-Z_]+)\}", lambda m: str(values.get(m[1], m[0])), text)


def expanded(
    lines: Sequence[str], values: Values, repeat: Mapping[str, Sequence[Values]]
) -> list[str]:
    """Fill placeholders and repeat blocks."""
    out: list[str] = []
    at = 0
    while at < len(lines):
        block = BEGIN.match(lines[at])
        if not block:
            out.append(filled(lines[at], values))
            at += 1
            continue
        end = _end(lines, at + 1)
        for more in repeat[block[1]]:
            out += expanded(lines[at + 1 : end], {**values, **more}, repeat)
        at = end + 1
    return out


def _end(lines: Sequence[str], start: int) -> int:
    """The line that closes the block which began before `start`."""
    depth = 1
    for at in range(start, len(lines)):
        depth += bool(BEGIN.match(lines[at])) - bool(END.match(lines[at]))
        if not depth:
            return at
    message = f"a block that begins at line {start} has no #@end"
    raise SystemExit(message)
