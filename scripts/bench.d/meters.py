"""What a process tree costs, read from /proc and `ss`, and what the slaves counted."""

import collections
import re
import struct
import subprocess
from collections.abc import Callable, Iterable
from os import sysconf
from pathlib import Path

SEGMENT_BYTES = 52  # IP and TCP headers with time stamps
TICKS = sysconf("SC_CLK_TCK")
COUNTERS = 16  # c/marks.h


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    out = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                out += tree(int(child))
    except OSError:
        return out
    return out


def _sum(pids: Iterable[int | str], read: Callable[[Path], float]) -> float:
    total = 0.0
    for pid in pids:
        try:
            total += read(Path("/proc", str(pid)))
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    return total


def cpu_seconds(pids: Iterable[int]) -> float:
    """Scheduler run time (ns), plus that of children already waited for (10 ms)."""

    def read(proc: Path) -> float:
        own = sum(int((t / "schedstat").read_text().split()[0]) for t in (proc / "task").iterdir())
        fields = (proc / "stat").read_text().rsplit(")", 1)[1].split()
        return own / 1e9 + (int(fields[13]) + int(fields[14])) / TICKS

    return _sum(pids, read)


def switches(pids: Iterable[int]) -> float:
    """Context switches of every kind: wake-ups."""
    pattern = re.compile(r"ctxt_switches:\s+(\d+)")

    def read(proc: Path) -> float:
        texts = [(task / "status").read_text() for task in (proc / "task").iterdir()]
        return sum(int(n) for text in texts for n in pattern.findall(text))

    return _sum(pids, read)


def threads(pids: Iterable[int]) -> int:
    """Threads of all of them."""
    return int(_sum(pids, lambda proc: len(list((proc / "task").iterdir()))))


def disk(pids: Iterable[int | str]) -> dict[str, int]:
    """`write_bytes`: page cache dirtied, what reaches the card; `wchar`: handed to write calls."""
    return _table(pids, "io")


def memory(pids: Iterable[int | str]) -> dict[str, float]:
    """Megabytes: resident, proportional, private, private and written to."""
    found = _table(pids, "smaps_rollup")
    private = found["Private_Clean"] + found["Private_Dirty"]
    kilobytes = {
        "rss_mb": found["Rss"],
        "pss_mb": found["Pss"],
        "uss_mb": private,
        "dirty_mb": found["Private_Dirty"],
    }
    return {name: value / 1024 for name, value in kilobytes.items()}


def _table(pids: Iterable[int | str], file: str) -> dict[str, int]:
    sums: dict[str, int] = collections.defaultdict(int)

    def read(proc: Path) -> float:
        for line in (proc / file).read_text().splitlines():
            key, _, rest = line.partition(":")
            if rest and rest.split()[0].isdigit():
                sums[key] += int(rest.split()[0])
        return 0

    _sum(pids, read)
    return sums


class Wire:
    """TCP bytes of these processes to one port, headers and ended connections included."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: dict[str, tuple[int, int]] = {}

    def sample(self, pids: Iterable[int]) -> tuple[int, int]:
        """(bytes from the gateway, bytes both ways) since the start."""
        ours = set(pids)
        command = ["ss", "-tinpH", "dst", f"127.0.0.1:{self.port}"]
        lines = subprocess.run(command, check=False, capture_output=True, text=True).stdout
        for head, body in re.findall(r"^(\S.*)\n\s+(.*)$", lines, re.MULTILINE):
            if ours.isdisjoint(int(p) for p in re.findall(r"pid=(\d+)", head)):
                continue
            found = re.findall(r"(bytes_sent|bytes_received|segs_out|segs_in):(\d+)", body)
            n = collections.Counter({k: int(v) for k, v in found})
            out = n["bytes_sent"] + SEGMENT_BYTES * n["segs_out"]
            back = n["bytes_received"] + SEGMENT_BYTES * n["segs_in"]
            self.seen[head.split()[3]] = (out, out + back)
        return sum(s[0] for s in self.seen.values()), sum(s[1] for s in self.seen.values())


class Slaves:
    """The counters of modbus_slave and rtu_slave (c/marks.h)."""

    NAMES = (
        "requests", "registers", "bytes_in", "bytes_out", "polls", "connections", "gap_violations",
        "line_busy_ns", "crc_errors",
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, int]:
        """All counters."""
        with self.path.open("rb") as file:
            values = struct.unpack(f"{COUNTERS}Q", file.read(8 * COUNTERS))
        return dict(zip(self.NAMES, values, strict=False))

    def polls(self, slaves: int) -> list[int]:
        """Polls answered, by slave."""
        with self.path.open("rb") as file:
            file.seek(8 * COUNTERS)
            return list(struct.unpack(f"{slaves}Q", file.read(8 * slaves)))
