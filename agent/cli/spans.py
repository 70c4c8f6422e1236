"""What a scan is asked to look at: settings of a line, and addresses, as a person writes them."""

import re
from collections.abc import Sequence

from agent.errors import ValidationError

LAST_ADDRESS = 247
SETTING = re.compile(r"\d{3,7} [78][NEO][12]")


def lines(written: str | None, usual: Sequence[str]) -> Sequence[str]:
    """Settings of a line, its own first: who answers at several is shown there.

    Args:
        written: `9600 8N1,19200 8E1`, `own`, or None for those that are usual.
        usual: its own first.

    Raises:
        ValidationError: they are none.
    """
    if written is None:
        return usual
    if written == "own":
        return usual[:1]
    wanted = dict.fromkeys(" ".join(part.upper().split()) for part in written.split(","))
    if not all(map(SETTING.fullmatch, wanted)):
        message = f"'{written}' are no line settings: write \"9600 8N1,19200 8E1\", or own"
        raise ValidationError(field="lines", reason="malformed", message=message)
    if not usual[0]:
        message = "Only a serial line has settings: leave --lines away."
        raise ValidationError(field="lines", reason="not serial", message=message)
    return sorted(wanted, key=lambda line: line != usual[0])


def addresses(written: str) -> list[int]:
    """`1-10` or `1,5,20-30` → each of them.

    Raises:
        ValidationError: they are none.
    """
    found: list[int] = []
    for part in written.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            found = []
            break
        found += range(int(first), int(last or first) + 1)
    if not found or not all(1 <= address <= LAST_ADDRESS for address in found):
        message = f"'{written}' are no Modbus addresses: write 1-10 or 1,5,20-30, up to 247"
        raise ValidationError(field="addresses", reason="malformed", message=message)
    return found
