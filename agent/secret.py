"""Secrets: found by name, printed as asterisks, never part of a plan."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.errors import FieldpostError

MASK = "********"
OPEN_TO_OTHERS = 0o077
# a credential bundle has some ten files of some kilobytes; more is a mistaken path
FILES_MAX = 256
BYTES_MAX = 4_000_000


class SecretError(FieldpostError):
    """A secret is missing, or lies open to others."""

    code = "SECRET"


class Secret:
    """The content of one secret; only `reveal()` shows it."""

    __slots__ = ("_content", "_files", "name")

    def __init__(self, name: str, content: bytes, files: Mapping[str, bytes] | None = None) -> None:
        self.name = name
        self._content = content
        self._files = files or {}

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
        """The bytes as stored (a zip, a certificate); empty when it is a directory."""
        return self._content

    def files(self) -> Mapping[str, bytes]:
        """When the secret is a directory: its files by relative path; else nothing."""
        return self._files

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
        SecretError: it is missing, unreadable, too big, or readable by others than its owner.
    """
    path = find(name, config_dir)
    if path is None:
        message = f"there is no secret called '{name}'"
        raise SecretError(message, action=f"fieldpost secret set {name}")
    check_mode(path)
    try:
        if path.is_dir():
            return Secret(name, b"", dict(_files(path, name)))
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


def _files(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Every file below, links left out: they could lead outside."""
    left = BYTES_MAX
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    for path in paths:
        check_mode(path)
        left -= path.stat().st_size
        if left < 0 or len(paths) > FILES_MAX:
            message = f"secret '{name}' is a directory of too many or too big files"
            raise SecretError(message, action="is this the right directory?")
        yield str(path.relative_to(folder)), path.read_bytes()
