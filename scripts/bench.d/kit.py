"""What the benches share: the cache, C builds, pinned children, ports.

A missing tool ends the program with status 77 (skipped), or 1 where $CI is set.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
CORES = sorted(os.sched_getaffinity(0))
GATEWAY_CORE, WORLD_CORE = CORES[0], CORES[-1]  # what is measured | slaves, broker, sink
SKIPPED = 77
SBIN = ":/usr/sbin:/usr/local/sbin"
LIBRARIES = {
    "modbus_slave": ["libmodbus"],
    "modbus_client": ["libmodbus"],
    "gateway_floor": ["libmodbus", "sqlite3", "libmosquitto"],
}


def say(text: str) -> None:
    """A line for people, beside the JSON on standard output."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def missing(what: str) -> SystemExit:
    """The end of a program that lacks something; raise it."""
    say(f"missing: {what}")
    return SystemExit(1 if os.environ.get("CI") else SKIPPED)


def cache(*parts: str) -> Path:
    """A path under $FIELDPOST_BENCH_CACHE, on a real file system; its folder exists."""
    top = os.environ.get("FIELDPOST_BENCH_CACHE") or Path.home() / ".cache/fieldpost-bench"
    path = Path(top).joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def tool(name: str, package: str) -> str:
    """The path of a program of this machine."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + SBIN)
    if not path:
        what = f"{name} (Debian package {package})"
        raise missing(what)
    return path


def built(name: str) -> str:
    """Compile c/NAME.c into the cache once per version of the source; the program's path."""
    sources = [BENCH / "c" / f"{name}.c", BENCH / "c/marks.h"]
    digest = hashlib.sha256(b"".join(s.read_bytes() for s in sources)).hexdigest()[:12]
    out = cache("bin", f"{name}-{digest}")
    if not out.exists():
        part = out.with_suffix(f".{os.getpid()}")
        flags = _flags(LIBRARIES.get(name, []))
        command = [tool("cc", "gcc"), "-O2", "-Wall", "-o", part, sources[0], *flags]
        subprocess.run(command, check=True)
        part.rename(out)
    return str(out)


def _flags(libraries: list[str]) -> list[str]:
    if not libraries:
        return []
    command = [tool("pkg-config", "pkg-config"), "--cflags", "--libs", *libraries]
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    if found.returncode:
        what = "libmodbus-dev libsqlite3-dev libmosquitto-dev (Debian packages)"
        raise missing(what)
    return found.stdout.split()


def work_dir(name: str) -> Path:
    """An empty folder on a real file system: tmpfs would make every disk figure zero."""
    path = cache("work", f"{name}-{os.getpid()}")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    command = ["stat", "-f", "-c", "%T", path]
    kind = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
    if kind in ("tmpfs", "ramfs"):
        say(f"warning: {path} is on {kind}; disk figures mean nothing (FIELDPOST_BENCH_CACHE)")
    return path


def start(command: Iterable[Any], core: int, **options: Any) -> subprocess.Popen[Any]:
    """A child pinned to one core, in its own session."""
    pinned = [tool("taskset", "util-linux"), "-c", str(core), *(str(c) for c in command)]
    return subprocess.Popen(pinned, start_new_session=True, **options)


def free_ports(count: int) -> int:
    """The first of COUNT neighbouring ports that are free on 127.0.0.1."""
    base = 20000 + os.getpid() * 37 % 10000
    while not _all_free(range(base, base + count)):
        base += count
    return base


def _all_free(ports: range) -> bool:
    held = []
    try:
        for port in ports:
            sock = socket.socket()
            held.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
    except OSError:
        return False
    finally:
        for sock in held:
            sock.close()
    return True


def wait_port(port: int, seconds: float = 10) -> None:
    """Wait until somebody listens on a port of this machine."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    message = f"nothing listens on {port}"
    raise SystemExit(message)
