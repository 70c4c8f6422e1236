"""What only this machine knows: which secrets are stored, which adapters are plugged in.

The gateway starts in spite of all of these, and says so; `fieldpost check` tells them beforehand.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from agent import secret
from agent.prepare.kinds import Problem, Severity
from agent.prepare.refusal import closest
from agent.prepare.sections import Wire
from agent.prepare.types import BundleRef, SecretRef

Keys = tuple[str, ...]


def references(settings: Any, path: Keys) -> Iterator[tuple[Keys, SecretRef]]:
    """Every secret a model names, with the path of the setting."""
    if isinstance(settings, SecretRef):
        yield path, settings
    elif isinstance(settings, BaseModel):
        for name, field in type(settings).model_fields.items():
            yield from references(getattr(settings, name), (*path, field.alias or name))
    elif isinstance(settings, Mapping):
        for name, value in settings.items():
            yield from references(value, (*path, str(name)))


def secrets(found: Iterable[tuple[Keys, SecretRef]], config_dir: Path) -> Iterator[Problem]:
    """Secrets that are not stored; one note when we may not look."""
    for path, name in found:
        try:
            missing = secret.find(name, config_dir) is None
            stored = _stored(config_dir) if missing else []
        except OSError:  # above all: no permission
            message = "the secrets were not checked: only root and the service may read them"
            note = Severity.NOTE
            yield Problem((), message, "sudo {fieldpost} check", severity=note, code="secrets")
            return
        if missing:
            yield _missing(path, name, stored)


def adapters(wires: Iterable[Wire]) -> Iterator[Problem]:
    """Serial ports that are not there now."""
    for wire in wires:
        port = getattr(wire.settings, "port", None)
        if isinstance(port, str) and port.startswith("/") and not Path(port).exists():
            path = ("connections", wire.name, "port")
            message, fix = "this adapter is not plugged in now", "fieldpost scan serial"
            yield Problem(path, message, fix, severity=Severity.WARNING, code="port_missing")


def _missing(path: Keys, name: SecretRef, stored: list[str]) -> Problem:
    near = closest(name, stored)
    if isinstance(name, BundleRef):
        fix = "download it from the platform's portal, then:  {fieldpost} enroll FILE.zip"
        message = f"there is no credential bundle called '{name}'"
        return Problem(path, message, fix, code="bundle_missing")
    fix = f"did you mean secret:{near}?" if near else f"{{fieldpost}} secret set {name}"
    return Problem(path, f"there is no secret called '{name}'", fix, code="secret_missing")


def _stored(config_dir: Path) -> list[str]:
    folders = [folder for folder in secret.folders(config_dir) if folder.is_dir()]
    return sorted({path.name for folder in folders for path in folder.iterdir()})
