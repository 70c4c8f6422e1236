"""Packaged profiles, read as `prepare` reads them."""

import functools
import importlib.metadata
from pathlib import Path

from agent.prepare.kinds import ConnectionKind, DeviceInput, ProfileSettings
from agent.prepare.profiles import Shelf


@functools.cache
def kinds() -> dict[str, ConnectionKind]:
    """By family, what every installed driver tells `prepare`."""
    points = importlib.metadata.entry_points(group="fieldpost.settings")
    found: list[ConnectionKind] = [point.load() for point in points]
    return {kind.family: kind for kind in found}


@functools.cache
def shelf() -> Shelf:
    return Shelf(Path("/nonexistent"))


def load(name: str) -> tuple[ConnectionKind, ProfileSettings]:
    """One profile, by its family's model."""
    profile = shelf().load(name)
    assert profile is not None
    kind = kinds()[profile.kind]
    return kind, kind.profile.model_validate(profile.tree)


def names(family: str) -> list[str]:
    """All packaged profiles of a family."""
    found = {name: shelf().load(name) for name in shelf().names()}
    return [name for name, profile in found.items() if profile and profile.kind == family]


def device(name: str, **keys: str) -> DeviceInput:
    """A device of that profile, as it would stand in the file."""
    kind, profile = load(name)
    settings = kind.device.model_validate({"profile": name, "via": "line", **keys})
    return DeviceInput("device", settings, profile)
