"""What only shows when settings are seen together; pure, the machine is not asked."""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Final

from agent.prepare.kinds import Problem, Settings, Severity, Spot
from agent.prepare.models import Status
from agent.prepare.sections import Wire

Path = tuple[str, ...]

PAIR: Final = ("certificate", "private_key")
OURS: Final = "fieldpost"  # the device of `agent.daemon.gaps`
OPEN_NEEDS: Final = ("names", "certificate", "private_key")
_UNSTABLE: Final = re.compile(r"/dev/tty(USB|ACM)\d+", re.ASCII)


def ports(wires: Iterable[Wire]) -> Iterator[Problem]:
    """One port is one connection, and its name should survive a reboot."""
    taken: dict[str, str] = {}
    for wire in wires:
        port = getattr(wire.settings, "port", None)
        if not isinstance(port, str):
            continue
        path = ("connections", wire.name, "port")
        if port in taken:
            fix = "one port is one connection: put all meters of this wire under one name"
            message = f"this port is already used by '{taken[port]}'"
            yield Problem(path, message, fix, code="port_taken")
        elif _UNSTABLE.fullmatch(port):
            yield unstable(path, port)
        taken.setdefault(port, wire.name)


def unstable(path: Path, port: str) -> Problem:
    """A name that depends on the order of plugging in."""
    message = f"{port} can change to another adapter after a reboot"
    fix = "paste the stable name shown by `fieldpost scan serial`  (/dev/serial/by-id/...)"
    return Problem(path, message, fix, severity=Severity.WARNING, code="port")


def names(devices: Iterable[str]) -> Iterator[Problem]:
    """The gateway reports what was lost under a name that no device may have."""
    if OURS in devices:
        message = f"'{OURS}' is the name under which the gateway itself reports"
        fix = "give this device another name"
        yield Problem(("devices", OURS), message, fix, spot=Spot.KEY, code="name_reserved")


def pairs(path: Path, settings: Settings | None) -> Iterator[Problem]:
    """A certificate needs its key, and a key its certificate."""
    if settings is None or not all(name in type(settings).model_fields for name in PAIR):
        return
    here = [name for name in PAIR if getattr(settings, name) is not None]
    if len(here) == 1:
        there = next(name for name in PAIR if name not in here)
        message = f"'{here[0]}' is here but '{there}' is not"
        fix = f"they belong together: add  {there}: secret:..."
        yield Problem((*path, here[0]), message, fix, spot=Spot.KEY, code="pair")


def status(settings: Status) -> Iterator[Problem]:
    """A status page that the network can reach must be named, encrypted and trusted."""
    lacking = [name for name in OPEN_NEEDS if not getattr(settings, name)]
    if _is_local(settings.listen) or not lacking:
        yield from pairs(("status",), settings)
        return
    port = settings.listen.rpartition(":")[2]
    message = (
        f"{settings.listen} can be reached from the network, "
        f"so it needs {', '.join(lacking)} as well"
    )
    fix = f"add them (the lines are ready below, behind #), or write 127.0.0.1:{port}"
    yield Problem(("status", "listen"), message, fix, code="status_open")


def _is_local(listen: str) -> bool:
    host = listen.rpartition(":")[0].strip("[]")
    if listen == "none" or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
