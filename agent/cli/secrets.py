"""`fieldpost secret`: passwords and keys, kept beside the configuration and never shown."""

import os
import pwd
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from agent.cli import words
from agent.cli.session import Session
from agent.cli.table import Column, table
from agent.cli.verb import verb
from agent.clock import iso
from agent.errors import NotFoundError, ValidationError

SERVICE_USER = "fieldpost"
FOLDER_MODE, FILE_MODE = 0o700, 0o600
BYTES_MAX = 1_000_000  # a bundle has 20 kB; more is the wrong file
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,120}")
REFERENCE = re.compile(r"^[^#]*?\bsecret:([A-Za-z0-9._-]+)")
COLUMNS = (Column("NAME", least=10, most=40), Column("STORED"), Column("USED BY", gives_way=True))


@click.group("secret")
def secret() -> None:
    """Passwords and keys that `secret:NAME` in the configuration stands for."""


@verb("set", example="sudo fieldpost secret set freezer-key\nfieldpost secret set token < FILE",
      reads=False)  # fmt: skip
@click.argument("name")
def set_(session: Session, *, name: str) -> None:
    """Store a secret: asks for it without showing it, or reads standard input."""
    _check_name(name)
    content = _asked(name)
    _check_content(content)
    path = _folder(session.config_path) / name
    fresh = path.with_name(f".{name}.new")
    fresh.unlink(missing_ok=True)
    opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(opened, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _give_to_service(fresh)
    fresh.replace(path)
    session.remark(f"Stored. In the configuration write:  secret:{name}")


@verb("list", example="sudo fieldpost secret list")
def list_(session: Session) -> None:
    """Which secrets there are and where they are used; never what they hold."""
    used = users(session.config_path)
    stored = {p.name: p for p in _stored(session.config_path)}
    if session.json:
        found = [
            {"name": n, "stored_at": _time(stored.get(n)), "used_by": used.get(n, [])}
            for n in sorted(stored.keys() | used.keys())
        ]
        session.document("secrets", {"secrets": found})
        return
    rows = [
        [name, words.moment(at) if (at := _time(stored.get(name))) else "missing",
         ", ".join(used.get(name, [])) or "nothing"]
        for name in sorted(stored.keys() | used.keys())
    ]  # fmt: skip
    session.write(table(COLUMNS, rows) if rows else "There are no secrets.")


@verb("rm", example="sudo fieldpost secret rm old-key", reads=False)
@click.argument("name")
def rm(session: Session, *, name: str) -> None:
    """Delete a secret that no setting refers to."""
    _check_name(name)
    path = session.config_path.parent / "secrets" / name
    if not path.exists():
        message = f"There is no secret called '{name}'."
        raise NotFoundError(message, action="See them: fieldpost secret list")
    if places := users(session.config_path).get(name):
        message = f"'{name}' is in use: {', '.join(places)}."
        raise ValidationError(field="name", reason="in use", message=message)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    session.remark(f"'{name}' is gone.")


for _command in (set_, list_, rm):
    secret.add_command(_command)


def users(config: Path) -> Mapping[str, Sequence[str]]:
    """Where the configuration names each secret: `gateway.yaml:76`."""
    found: dict[str, list[str]] = {}
    lines = (
        config.read_text(encoding="utf-8", errors="replace").splitlines() if config.exists() else []
    )
    for number, line in enumerate(lines, 1):
        for match in REFERENCE.finditer(line):
            found.setdefault(match[1], []).append(f"{config.name}:{number}")
    return found


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        message = f"'{name}' cannot be a secret's name: letters, digits, '.', '_' and '-' can."
        raise ValidationError(field="name", reason="malformed", message=message)


def _asked(name: str) -> bytes:
    if sys.stdin.isatty():
        text: str = click.prompt(f"{name} (not shown)", hide_input=True, err=True)
        return text.encode()
    return sys.stdin.buffer.read(BYTES_MAX + 1)


def _check_content(content: bytes) -> None:
    if not content.strip():
        raise ValidationError(field="content", reason="empty", message="This secret is empty.")
    if len(content) > BYTES_MAX:
        message = f"A secret has at most {words.size(BYTES_MAX)}; is this the right file?"
        raise ValidationError(field="content", reason="too long", message=message)


def _folder(config: Path) -> Path:
    folder = config.parent / "secrets"
    if not folder.exists():
        folder.mkdir(mode=FOLDER_MODE)
        _give_to_service(folder)
    return folder


def _stored(config: Path) -> Iterator[Path]:
    folder = config.parent / "secrets"
    if folder.exists():
        yield from (path for path in folder.iterdir() if not path.name.startswith("."))


def _time(path: Path | None) -> str | None:
    return iso(path.stat().st_mtime_ns) if path else None


def _give_to_service(path: Path) -> None:
    """To the service's user where there is one, else to whom the folder around it belongs."""
    if os.geteuid() != 0:
        return
    owner = path.parent.stat()
    try:
        service = pwd.getpwnam(SERVICE_USER)
        os.chown(path, service.pw_uid, service.pw_gid)
    except KeyError:
        os.chown(path, owner.st_uid, owner.st_gid)
