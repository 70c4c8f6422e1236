"""What is remembered of devices beyond the end of the daemon, for whoever plans their reading.

The daemon writes `learned.json` in its state directory; `prepare` reads it, with or without one.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.plan import Json, from_json

FILE: Final = "learned.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Learned:
    """One device.

    Attributes:
        connection, address: where it was learned; it says nothing of a device elsewhere.
        latency_s, refused: as in `Figures`.
    """

    connection: str
    address: str
    latency_s: float | None = None
    refused: Sequence[str] = ()


def recalled(path: Path | None) -> Mapping[str, Learned]:
    """By device, what a file says; a file that cannot be read is as good as none."""
    try:
        kept: Json = json.loads(path.read_bytes()) if path else {"format": FORMAT, "devices": {}}
        if kept["format"] != FORMAT:
            return {}
        return {name: from_json(Learned, told) for name, told in kept["devices"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def written(devices: Mapping[str, Learned]) -> bytes:
    """The content of the file."""
    told = {name: dataclasses.asdict(known) for name, known in devices.items()}
    return json.dumps({"format": FORMAT, "devices": told}).encode()
