"""Where secrets lie: `secrets/` beside the configuration, for the service alone."""

import os
import pwd
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.errors import BusyError, ValidationError

SERVICE_USER = "fieldpost"
FOLDER_MODE, FILE_MODE = 0o700, 0o600
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,120}")


def check_name(name: str) -> None:
    """Refuse what could be a path or cannot stand behind `secret:`.

    Raises:
        ValidationError: such a name.
    """
    if not NAME.fullmatch(name):
        message = f"'{name}' cannot be a secret's name: letters, digits, '.', '_' and '-' can."
        raise ValidationError(field="name", reason="malformed", message=message)


def place(config: Path, name: str) -> Path:
    """Where the secret of that name lies, if it does."""
    check_name(name)
    return config.parent / "secrets" / name


def stored(config: Path) -> Iterator[Path]:
    """Every secret there is."""
    folder = config.parent / "secrets"
    if folder.exists():
        yield from (path for path in folder.iterdir() if not path.name.startswith("."))


def store(config: Path, name: str, content: bytes) -> Path:
    """Keep a secret, over an older one of that name; a power cut leaves the old or the new one."""
    path = place(config, name)
    _folder(path.parent)
    fresh = path.with_name(f".{name}.new")
    fresh.unlink(missing_ok=True)
    _write(fresh, content)
    fresh.replace(path)
    return path


def store_folder(config: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """Keep a secret of several files.

    Args:
        config: the configuration beside which secrets lie.
        name: of the secret.
        files: content by relative path, free of `..` and not absolute.

    Raises:
        BusyError: there is one of that name; a folder cannot be replaced in one step.
    """
    path = place(config, name)
    if path.exists():
        message = f"There is already a secret called '{name}'."
        raise BusyError(message, action=f"fieldpost secret rm {name}")
    _folder(path.parent)
    fresh = path.with_name(f".{name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    _folder(fresh)
    for relative, content in files.items():
        file = fresh / relative
        for folder in reversed(file.relative_to(fresh).parents):
            _folder(fresh / folder)
        _write(file, content)
    fresh.replace(path)
    return path


def give_to_service(path: Path) -> None:
    """To the service's user where there is one, else to whom the folder around it belongs.

    Never through a link: the folder is the service's, and root must not be led elsewhere by it.
    """
    if os.geteuid() != 0:
        return
    owner = path.parent.stat()
    try:
        service = pwd.getpwnam(SERVICE_USER)
        os.chown(path, service.pw_uid, service.pw_gid, follow_symlinks=False)
    except KeyError:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(mode=FOLDER_MODE)
        give_to_service(folder)


def _write(path: Path, content: bytes) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(opened, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    give_to_service(path)
