"""Where a stopped scan was, kept in the user's cache until it is done."""

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from agent.driver import Sighting
from agent.errors import NotFoundError
from agent.plan import from_json


@dataclass(frozen=True, slots=True)
class Stopped:
    """A scan that was stopped.

    Attributes:
        done: so many of lines x addresses.
        found: until then.
    """

    where: str
    lines: Sequence[str]
    addresses: Sequence[int]
    timeout_s: float
    done: int = 0
    found: Sequence[Sighting] = field(default_factory=tuple)


def keep(stopped: Stopped) -> None:
    """Remember it."""
    path = _path(stopped.where)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(asdict(stopped)))


def kept(where: str) -> Stopped:
    """The one that was stopped.

    Raises:
        NotFoundError: none was, or what was kept cannot be read.
    """
    try:
        return from_json(Stopped, orjson.loads(_path(where).read_bytes()))
    except (OSError, ValueError) as error:
        message = f"No scan of {where} was stopped here."
        raise NotFoundError(message, action="Leave --resume away") from error


def forget(where: str) -> None:
    """It is done."""
    _path(where).unlink(missing_ok=True)


def _path(where: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "fieldpost" / f"scan-{re.sub(r'[^A-Za-z0-9.]+', '-', where).strip('-')}.json"
