"""One daemon per store: a lock that ends with its process, however it ends."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from agent.errors import BusyError, FieldpostError

LOCKS = Path("/proc/locks")


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


def holder(file: Path) -> str:
    """Who holds a lock on a file, in words; nobody's name where the system does not tell.

    Source: proc(5), /proc/locks. A line ends in the process, device and inode, and the range.
    """
    try:
        held = file.stat()
        device = f"{os.major(held.st_dev):02x}:{os.minor(held.st_dev):02x}:{held.st_ino}"
        lines = (line.split() for line in LOCKS.read_text().splitlines() if device in line)
        others = [int(words[-4]) for words in lines if words[-3] == device]
        process = next(number for number in others if number not in (0, -1, os.getpid()))
    except (OSError, ValueError, IndexError, StopIteration):
        return "another program"
    with suppress(OSError):
        return f"{Path(f'/proc/{process}/comm').read_text().strip()} (process {process})"
    return f"process {process}"


def _opened(file: Path) -> int:
    """A read-only file system has a lock, too, where one was made before."""
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError:
        return os.open(file, os.O_RDONLY | os.O_CLOEXEC)
