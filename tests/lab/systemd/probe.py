"""What code inside a unit can do: tries each act in turn and prints one JSON object of the results.

`python -I probe.py` under a copy of the unit. Standard library only. An act that succeeds is true;
one that fails says why.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

MS_BIND, CLONE_NEWUSER, PTRACE_ATTACH = 4096, 0x10000000, 16
MAIN_LOOP = ("127.0.0.1", 8081)


def write(path: str) -> Callable[[], object]:
    """Make a file, and remove it."""

    def act() -> None:
        target = Path(path)
        there = target.exists()
        with target.open("ab"):
            pass
        if not there:
            target.unlink()

    return act


def read(path: str) -> Callable[[], object]:
    """Read a file or list a folder; what is empty or only mapped over counts as hidden."""

    def act() -> None:
        target = Path(path)
        if not (list(target.iterdir()) if target.is_dir() else target.read_bytes()):
            hidden = f"{path} is empty"
            raise OSError(hidden)

    return act


def opened(path: str) -> Callable[[], object]:
    """Open a device, without waiting for a carrier."""
    return lambda: os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY))


def kernel(name: str, *arguments: object) -> Callable[[], object]:
    """Call the C library."""

    def act() -> None:
        if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) == -1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return act


def wire(*kind: int) -> Callable[[], object]:
    """Make a socket."""
    return lambda: socket.socket(*kind).close()


def connect() -> None:
    """Reach the server that the destination of the test is."""
    socket.create_connection(MAIN_LOOP, timeout=2).close()


def child() -> None:
    """Run a program, as the daemon runs the compiler."""
    subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)


def suid() -> None:
    """Make a file that runs as its owner."""
    folder = tempfile.mkdtemp()
    (program := Path(folder) / "x").touch()
    program.chmod(0o4755)


ACTS: dict[str, Callable[[], object]] = {
    "write /etc/passwd": write("/etc/passwd"),
    "write /etc/x": write("/etc/x"),
    "write /usr/x": write("/usr/x"),
    "write /opt/fieldpost/x": write("/opt/fieldpost/x"),
    "write /var/lib/x": write("/var/lib/x"),
    "write profiles": write("/etc/fieldpost/profiles/x"),
    "write secrets": write("/etc/fieldpost/secrets/x"),
    "write configuration": write("/etc/fieldpost/x"),
    "write state": write("/var/lib/fieldpost/x"),
    "read state": read("/var/lib/fieldpost"),
    "read secrets": read("/etc/fieldpost/secrets"),
    "read /home": read("/home"),
    "read /root": read("/root"),
    "read /etc/shadow": read("/etc/shadow"),
    "see process 1": read("/proc/1/cmdline"),
    "read memory use": read("/proc/meminfo"),
    "read boot id": read("/proc/sys/kernel/random/boot_id"),
    "change a kernel setting": write("/proc/sys/kernel/hostname"),
    "open /dev/mem": opened("/dev/mem"),
    "open a console": opened("/dev/tty1"),
    "mount": kernel("mount", b"/tmp", b"/mnt", None, MS_BIND, None),
    "trace its parent": kernel("ptrace", PTRACE_ATTACH, os.getppid(), 0, 0),
    "make a namespace": kernel("unshare", CLONE_NEWUSER),
    "set the host name": kernel("sethostname", b"x", 1),
    "gain priority": lambda: os.nice(-5),
    "capture packets": wire(socket.AF_PACKET, socket.SOCK_RAW),
    "speak to the kernel's routing": wire(socket.AF_NETLINK, socket.SOCK_RAW),
    "make a set-uid file": suid,
    "connect": connect,
    "listen on TCP": lambda: socket.create_server(("127.0.0.1", 0)).close(),
    "start a program": child,
}


def tried(act: Callable[[], object]) -> bool | str:
    """True, or why not."""
    try:
        act()
    except OSError as error:
        return error.strerror or str(error)
    return True


found = {"uid": os.getuid()} | {name: tried(act) for name, act in ACTS.items()}
sys.stdout.write(json.dumps(found) + "\n")
