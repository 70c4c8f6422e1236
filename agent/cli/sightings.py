"""Who was found on a line, as it is shown: a few lines each, and what holds for several at once."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from agent.driver import Sighting

UNKNOWN = "unknown model"
ALSO = (
    "Who answers at several settings is counted once: this port, or a converter behind it,\n"
    "takes no notice of them."
)


def lines_of(one: Sighting, device: str | None) -> list[str]:
    """How one device is shown.

    Args:
        one: the device.
        device: its name in the file, or None.
    """
    what = UNKNOWN
    if one.profiles:
        others = f" or {len(one.profiles) - 1} more" if len(one.profiles) > 1 else ""
        what = f"{one.profiles[0]} (sure)" if one.sure else f"{one.profiles[0]}{others}?"
    place = f"configured: {device}" if device else "new"
    head = f"{one.address:>3}  {one.line:<10}  " if one.line else f"{one.address:>3}  "
    more = [text for text in (one.name, one.says) if text]
    if one.profiles and not one.sure:
        more.append(f"perhaps {' or '.join(one.profiles)}: {one.why}")
    return [f"{head}{what:<26}  {place}", *(" " * len(head) + text for text in more)]


def refusing(found: Iterable[Sighting]) -> Iterator[str]:
    """Those who refuse everything: `3, 7-9  answer, but only with exception 4: …`."""
    silent = sorted((one.line, one.says, one.address) for one in found if one.refuses)
    for (line, says), same in groupby(silent, key=lambda each: each[:2]):
        addresses = [address for _, _, address in same]
        head = f"{spans(addresses)}  {line}".rstrip()
        yield f"{head}  {says if len(addresses) == 1 else says.replace('answers', 'answer', 1)}"


def spans(numbers: Sequence[int]) -> str:
    """`1, 4-7, 9`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)


def also(found: Iterable[Sighting]) -> Iterator[str]:
    """Who answered at other settings too."""
    several = [one for one in found if one.also and not one.refuses]
    for one in several:
        yield f"{one.address} answered at {', '.join(one.also)} too."
    if several:
        yield ALSO
