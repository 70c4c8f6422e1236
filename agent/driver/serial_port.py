"""What every driver says of a serial port that cannot be had, and which adapter it belongs to."""

import errno
from pathlib import Path
from typing import Final

from agent.driver.contract import ConnectionState, DriverError

SYSTEM: Final = Path("/sys")
COME_BACK: Final = "Waiting for it to come back; nothing else to do after plugging it in."
SHORTEST_SERIAL: Final = 4  # of an adapter; a shorter last word of its name is part of the model
TAKEN: Final = frozenset({errno.EBUSY, errno.EAGAIN})
ABSENT: Final = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO})


def gone(port: str) -> DriverError:
    """The adapter behind this port is not there."""
    message = f"the adapter {adapter(port)} is gone"
    return DriverError(ConnectionState.GONE, message, action=COME_BACK)


def not_opened(port: str, error: Exception) -> DriverError:
    """Why a port cannot be opened, and what to do about it."""
    number = getattr(error, "errno", None)
    if number in ABSENT:
        return gone(port)
    state = ConnectionState.BUSY if number in TAKEN else ConnectionState.GONE
    message, action = _why(port, error)
    return DriverError(state, message, action=action)


def adapter(port: str) -> str:
    """What a person calls the adapter: its serial number where the name of the port has one."""
    name = Path(port).name.partition("-if")[0]
    number = name.rpartition("_")[2]
    numbered = len(number) >= SHORTEST_SERIAL and any(c.isdigit() for c in number)
    return number if "/by-id/" in port and numbered else port


def identity(port: str, system: Path = SYSTEM) -> str | None:
    """Which adapter answers at this port now: maker, model and serial number, as USB tells them.

    Returns:
        None where nothing can be told: built-in ports, ptys, adapters that are gone.
    """
    tty = system / "class/tty" / Path(port).resolve().name / "device"
    folder = tty.resolve()
    while folder != folder.parent:
        if (folder / "idVendor").exists():
            return ":".join(_fact(folder / n) for n in ("idVendor", "idProduct", "serial"))
        folder = folder.parent
    return None


def _why(port: str, error: Exception) -> tuple[str, str]:
    number = getattr(error, "errno", None)
    if number in TAKEN:
        action = f"End the other program, or give it another adapter:  fuser -v {port}"
        return f"{port} belongs to another program", action
    if number == errno.EACCES:
        action = "Add the service's user to the group that owns the port, usually dialout."
        return f"{port} may not be opened by this user", action
    if number == errno.EPERM:
        action = (
            "The service may open USB adapters and the usual built-in ports. Allow this one:  "
            f"sudo systemctl edit fieldpost  and  [Service] DeviceAllow={port} rw"
        )
        return f"{port} may not be opened by this service", action
    action = "Is it the right port, and does the adapter know this `line:`?  fieldpost scan serial"
    return f"{port} cannot be used as a serial port: {error}", action


def _fact(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
