"""One daemon per store: a lock that ends with its process, however it ends."""

import fcntl
import os
from pathlib import Path

from agent.errors import BusyError, FieldpostError


def lock(folder: Path) -> int:
    """Lock the folder, made where it is missing; returns the descriptor that holds the lock.

    Raises:
        BusyError: another daemon holds it.
        FieldpostError: the folder cannot be used.
    """
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = _opened(folder / "lock")
    except OSError as error:
        message = f"the folder of the store cannot be used: {error}"
        raise FieldpostError(message) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        message = f"another fieldpost daemon uses the store in {folder}"
        raise BusyError(message, action="Stop the other one, or give this one --state") from error
    return descriptor


def _opened(file: Path) -> int:
    """A read-only file system has a lock, too, where one was made before."""
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError:
        return os.open(file, os.O_RDONLY | os.O_CLOEXEC)
