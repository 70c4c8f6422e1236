"""Where state and socket are, and how to reach a socket whose path is too long for the kernel."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOCKET_NAME = "fieldpost.sock"
SYSTEM_SOCKET = Path("/run/fieldpost") / SOCKET_NAME
SYSTEM_STATE = Path("/var/lib/fieldpost")
PATH_BYTES_MAX = 107  # sun_path of unix(7) holds 108 bytes, the last one a zero


def state_dir(explicit: Path | None = None) -> Path:
    """Where the daemon keeps its things.

    `--state` comes before `$STATE_DIRECTORY` (systemd), `$XDG_STATE_HOME/fieldpost`,
    `/var/lib/fieldpost` (root) and `~/.local/state/fieldpost`. Nothing is created.
    """
    if explicit is not None:
        return explicit
    if systemd := os.environ.get("STATE_DIRECTORY"):
        return Path(systemd.split(":", maxsplit=1)[0])
    if home := os.environ.get("XDG_STATE_HOME"):
        return Path(home) / "fieldpost"
    return usual_state()


def usual_state() -> Path:
    """Where that is when nobody says anything."""
    return SYSTEM_STATE if os.geteuid() == 0 else Path.home() / ".local/state/fieldpost"


def socket_path(explicit: Path | None = None, state: Path | None = None) -> Path:
    """Where the daemon listens.

    `--socket` comes before `$FIELDPOST_SOCKET`, the given state directory, `/run/fieldpost` when
    the service has a socket there or is installed, and the default state directory.
    """
    if explicit is not None:
        return explicit
    if named := os.environ.get("FIELDPOST_SOCKET"):
        return Path(named)
    own = state_dir(state) / SOCKET_NAME
    return SYSTEM_SOCKET if state is None and _of_the_service(own) else own


def _of_the_service(own: Path) -> bool:
    try:
        return SYSTEM_SOCKET.exists() or (SYSTEM_STATE.exists() and not own.exists())
    except PermissionError:  # it is there, and not for us: the client says so
        return True


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """The address to bind or connect to; a long one goes through its open directory in /proc.

    Raises:
        OSError: the directory is not there or may not be entered.
    """
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
