"""Files that a power cut leaves as they were or as they should be, never between."""

import os
from contextlib import suppress
from pathlib import Path

MODE = 0o666  # of which the umask takes its part


def replace(path: Path, content: bytes, mode: int = MODE) -> None:
    """Write a file as a whole; it is on the card, under its name, when this returns.

    Raises:
        OSError: the card does not take it; the old one is still there.
    """
    fresh = path.with_suffix(".new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(opened, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder durable.

    Raises:
        OSError: the card does not take them.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
