"""Modbus slaves that nobody here wrote: libmodbus, compiled once into the cache."""

import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PACKAGES = "gcc libc6-dev pkg-config libmodbus-dev"


def missing(reason: str) -> None:
    """A test whose peer is absent fails in CI and is skipped elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(f"missing in CI: {reason}")
    pytest.skip(reason)


def compiled(source: str) -> Path:
    """A program from one of the C files here."""
    if not shutil.which("gcc") or not shutil.which("pkg-config"):
        missing(PACKAGES)
    found = _run("pkg-config", "--cflags", "--libs", "libmodbus")
    if found.returncode:
        missing(PACKAGES)
    path = HERE / source
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    program = _cache() / f"{path.stem}-{digest}"
    if not program.exists():
        draft = program.with_suffix(f".{os.getpid()}")
        flags = shlex.split(found.stdout)
        built = _run("gcc", "-O2", "-o", str(draft), str(path), *flags)
        assert built.returncode == 0, built.stderr
        draft.rename(program)
    return program


@contextmanager
def slave(*arguments: str, **environment: str) -> Iterator[int]:
    """One libmodbus slave; yields its TCP port, 0 on a serial line."""
    command = [str(compiled("mbslave.c")), *arguments]
    around = os.environ | environment
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=around)
    assert child.stdout
    try:
        word, _, port = child.stdout.readline().partition(" ")
        assert word == "ready", f"mbslave {arguments} did not start"
        yield int(port)
    finally:
        child.terminate()
        child.wait()
        child.stdout.close()


def on_line(
    port: str, unit: int, baud: int = 19200, **environment: str
) -> AbstractContextManager[int]:
    """A slave on one node of an `Rs485Bus`."""
    return slave("rtu", port, str(baud), "N", "1", str(unit), **environment)


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False)


def _cache() -> Path:
    root = Path(os.environ.get("FIELDPOST_LAB_CACHE") or Path.home() / ".cache/fieldpost-lab")
    folder = root / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
