"""Secrets: found by name, printed as asterisks, never part of a plan."""

import os
from collections.abc import Iterator
from pathlib import Path

from agent.errors import FieldpostError

MASK = "********"
OPEN_TO_OTHERS = 0o077


class SecretError(FieldpostError):
    """A secret is missing, or lies open to others."""

    code = "SECRET"


class Secret:
    """The content of one secret; only `reveal()` shows it."""

    __slots__ = ("_content", "name")

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self._content = content

    def reveal(self) -> str:
        """The text, without the line end an editor leaves.

        Raises:
            SecretError: it is not UTF-8 text.
        """
        try:
            return self._content.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError as error:
            message = f"secret '{self.name}' is not text"
            raise SecretError(message, action=f"fieldpost secret set {self.name}") from error

    def content(self) -> bytes:
        """The bytes as stored (a zip, a certificate)."""
        return self._content

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__


def folders(config_dir: Path) -> Iterator[Path]:
    """Where secrets are looked up, first match wins.

    `$CREDENTIALS_DIRECTORY` (systemd's LoadCredential) comes before `secrets/` beside the
    configuration file (`/etc/fieldpost/secrets`).
    """
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials:
        yield Path(credentials)
    yield config_dir / "secrets"


def find(name: str, config_dir: Path) -> Path | None:
    """The file or directory that holds this secret, or None."""
    return next((p for d in folders(config_dir) if (p := d / name).exists()), None)


def read(name: str, config_dir: Path) -> Secret:
    """One secret's content.

    Raises:
        SecretError: it is missing, unreadable, a directory, or readable by others than its owner.
    """
    path = find(name, config_dir)
    if path is None:
        message = f"there is no secret called '{name}'"
        raise SecretError(message, action=f"fieldpost secret set {name}")
    check_mode(path)
    try:
        return Secret(name, path.read_bytes())
    except OSError as error:
        message = f"secret '{name}' cannot be read: {error.strerror}"
        raise SecretError(message, action=f"check the owner of {path}") from error


def check_mode(path: Path) -> None:
    """Refuse a secret that others than its owner may read.

    Raises:
        SecretError: group or others have a right on it.
    """
    if path.stat().st_mode & OPEN_TO_OTHERS and "CREDENTIALS_DIRECTORY" not in os.environ:
        message = f"secret '{path.name}' can be read by other users"
        raise SecretError(message, action=f"chmod go= {path}")
