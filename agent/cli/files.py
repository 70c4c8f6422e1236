"""The technician's file, replaced as a whole: who owns it and may read it stays as it was."""

import os
import shutil
from pathlib import Path

from agent.cli.failure import BadConfigurationError
from agent.prepare.compile import prepare
from agent.prepare.source import Located


def read(path: Path) -> str:
    """The text with its line ends.

    Raises:
        BadConfigurationError: it is not text.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"{path} is not a text file"
        raise BadConfigurationError(message, action=f"fieldpost check {path}") from error


def replace(path: Path, text: str) -> None:
    """Put this text in its place, in one step."""
    _fresh(path, text).replace(path)


def replace_checked(path: Path, text: str) -> None:
    """Put this text in its place if the gateway would start with it.

    Raises:
        BadConfigurationError: it would not; the file stays as it is.
    """
    fresh = _fresh(path, text)
    outcome = prepare(fresh, offline=True)
    if outcome.plan is None:
        fresh.unlink()
        raise BadConfigurationError(_first(outcome.problems), action="The file stays as it is")
    fresh.replace(path)


def _first(problems: tuple[Located, ...]) -> str:
    """The first thing that makes it unusable."""
    wrong = [p for p in problems if p.problem.severity == "error"]
    fix = f" ({wrong[0].problem.fix})" if wrong[0].problem.fix else ""
    return f"{wrong[0].problem.message}{fix}"


def _fresh(path: Path, text: str) -> Path:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(text.encode())
    shutil.copystat(path, fresh)
    if os.geteuid() == 0:
        owner = path.stat()
        os.chown(fresh, owner.st_uid, owner.st_gid)
    with fresh.open("rb") as written:
        os.fsync(written.fileno())
    return fresh
