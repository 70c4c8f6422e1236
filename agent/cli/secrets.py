"""`fieldpost secret`: passwords and keys, kept beside the configuration and never shown."""

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from agent.cli import vault, words
from agent.cli.session import Session
from agent.cli.table import Column, table
from agent.cli.verb import verb
from agent.clock import iso
from agent.errors import NotFoundError, ValidationError

BYTES_MAX = 1_000_000  # a bundle has 20 kB; more is the wrong file
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
    vault.check_name(name)
    content = _asked(name)
    _check_content(content)
    vault.store(session.config_path, name, content)
    session.remark(f"Stored. In the configuration write:  secret:{name}")


@verb("list", example="sudo fieldpost secret list")
def list_(session: Session) -> None:
    """Which secrets there are and where they are used; never what they hold."""
    used = users(session.config_path)
    stored = {p.name: p for p in vault.stored(session.config_path)}
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
    path = vault.place(session.config_path, name)
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


def _time(path: Path | None) -> str | None:
    return iso(path.stat().st_mtime_ns) if path else None
