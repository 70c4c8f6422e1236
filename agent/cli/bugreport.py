"""`fieldpost bugreport`: everything support asks for, in one file, without secrets."""

import hashlib
import os
import platform
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import click
import orjson

from agent.cli import vault
from agent.cli.session import Session
from agent.cli.verb import verb
from agent.clock import SystemClock, iso
from agent.errors import BusyError, FieldpostError
from agent.logging import TOKENS
from agent.plan import Json
from agent.prepare import report
from agent.prepare.compile import prepare
from agent.secret import MASK

MODE = 0o600  # no secrets, but addresses of the plant
CODE_LENGTH = 8
SHORTEST_SECRET = 6  # shorter texts stand everywhere and open nothing
_RANDOM = re.compile(rb"(?=.*[0-9])(?=.*[A-Za-z]).{16,}")
ASKED = ("snapshot", "events", "settings")
OS_RELEASE = Path("/etc/os-release")


@verb("bugreport", example="sudo fieldpost bugreport")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
def bugreport(session: Session, *, folder: Path) -> None:
    """Write a file for support, and a code to quote; it holds no secrets."""
    parts = _cleaned(dict(_parts(session)), _known_secrets(session.config_path))
    now = iso(SystemClock().now().wall_ns)
    digest = hashlib.sha256(b"".join(parts.values())).hexdigest()[:CODE_LENGTH].upper()
    code = f"FP-{digest}-{now[:16].replace('-', '').replace(':', '').replace('T', '-')}"
    path = folder / f"{code}.zip"
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    except FileExistsError as error:
        message = f"{path} is there already."
        raise BusyError(message) from error
    with (
        os.fdopen(opened, "wb") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped,
    ):
        for name, content in parts.items():
            zipped.writestr(name, content)
    if session.json:
        session.document("bugreport", {"code": code, "file": str(path), "parts": sorted(parts)})
        return
    session.write(f"{path}\nQuote this code:  {code}")
    session.remark("It holds names, addresses and values of this plant, and no secrets.")


def _parts(session: Session) -> Iterator[tuple[str, bytes]]:
    yield "machine.json", _document(_machine())
    for asked in ASKED:
        yield f"{asked}.json", _document(_told(session, asked))
    config = session.config_path
    problems = prepare(config).problems
    yield "check.txt", report.human(problems).encode() or b"no problems\n"
    with suppress(OSError):
        yield "gateway.yaml", config.read_bytes()


def _machine() -> Json:
    system = OS_RELEASE.read_text(encoding="utf-8") if OS_RELEASE.exists() else ""
    return {
        "fieldpost": metadata.version("fieldpost"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "system": system.splitlines(),
        "made_at": iso(SystemClock().now().wall_ns),
    }


def _told(session: Session, asked: str) -> Json:
    """The daemon's answer, or why there is none: that is worth knowing as well."""
    try:
        return session.client.call(asked)
    except FieldpostError as error:
        return {"error": {"code": error.code, "message": error.message}}


def _document(content: Json) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2)


def _known_secrets(config: Path) -> Sequence[bytes]:
    """Every secret we may read, longest first: they must not be in there, and this makes sure."""
    found: set[bytes] = set()
    with suppress(OSError):
        for path in vault.stored(config):
            for file in path.rglob("*") if path.is_dir() else [path]:
                found |= set(_telling(file.read_bytes())) if file.is_file() else set()
    return sorted(found, key=len, reverse=True)


def _telling(content: bytes) -> Iterator[bytes]:
    """What of a secret opens something: all of one line, the random words of a longer text."""
    lines = content.split(b"\n")
    if len(lines) == 1 or not any(lines[1:]):
        yield from (line for line in [lines[0].strip()] if len(line) >= SHORTEST_SECRET)
        return
    yield from (word for word in content.split() if _RANDOM.search(word))


def _cleaned(parts: Mapping[str, bytes], secrets: Sequence[bytes]) -> Mapping[str, bytes]:
    cleaned = {}
    for name, content in parts.items():
        text = TOKENS.sub(MASK, content.decode("utf-8", "replace")).encode()
        for secret in secrets:
            text = text.replace(secret, MASK.encode())
        cleaned[name] = text
    return cleaned
