"""Every state in which a power cut may leave a folder, from a recorded run.

A run is recorded by the shim `iorecord.c`: every write, truncate, sync, create, rename and unlink,
in order, and what the program said on standard output. For each prefix of that log the folder is
rebuilt as a cut at that instant may leave it: what was synced is there; of the unsynced writes of a
file none, all, the first few, any few, or any few torn at 512 bytes; of the names not yet durable,
the first few. A sync of any file also commits earlier names, as the journals of ext4 and xfs do.
"""

import hashlib
import os
import random
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

SECTOR = 512
STALE = 8  # draws in a row that brought nothing new
SHIM = Path(__file__).with_name("iorecord.c")
MEMORY = Path("/dev/shm")  # noqa: S108 - a tmpfs, wanted for speed


@dataclass(frozen=True, slots=True)
class Op:
    """c create, w write, t truncate, s sync, d sync folder, u unlink, r rename, k mkdir, m said,
    n opened what was there."""

    kind: str
    name: str = ""
    inode: int = 0
    at: int = 0
    data: bytes = b""


@dataclass(slots=True)
class Inode:
    """What the device holds of a file, and what has been written since."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Op] = field(default_factory=list)

    def commit(self) -> None:
        for op in self.pending:
            _patch(self.durable, op)
        self.pending.clear()

    def after_cut(self, dice: random.Random) -> bytes:
        content = bytearray(self.durable)
        for op in _survivors(self.pending, dice):
            _patch(content, op)
        return bytes(content)


class Disk:
    """A file system between two syncs.

    Args:
        lying: the device ignores flushes and reorders.
    """

    def __init__(self, *, lying: bool = False) -> None:
        self._lying = lying
        self._inodes: dict[int, Inode] = {}
        self._names: dict[str, Inode] = {}
        self._pending: list[tuple[Op, Inode | None]] = []

    def hold(self, files: Mapping[str, bytes]) -> None:
        """Begin with these; a recorded run names them before it touches them."""
        for name, content in files.items():
            self._names[name] = Inode(bytearray(content))

    def apply(self, op: Op) -> None:
        """One recorded event happens."""
        if op.kind == "n":
            self._inodes.setdefault(op.inode, self._names.get(op.name, Inode()))
        elif op.kind in "wt":
            self._inodes.setdefault(op.inode, Inode()).pending.append(op)
        elif op.kind == "c":
            self._inodes[op.inode] = Inode()
            self._pending.append((op, self._inodes[op.inode]))
        elif op.kind in "urk":
            self._pending.append((op, None))
        elif op.kind in "sd" and not self._lying:
            if op.kind == "s":
                self._inodes.setdefault(op.inode, Inode()).commit()
            self._names = _renamed(self._names, self._pending)
            self._pending.clear()

    def cut(self, dice: random.Random) -> dict[str, bytes]:
        """One set of files that a cut at this instant may leave."""
        done = dice.randint(0, len(self._pending))
        names = _renamed(self._names, self._pending[:done])
        return {name: inode.after_cut(dice) for name, inode in names.items()}


def _patch(content: bytearray, op: Op) -> None:
    end = op.at if op.kind == "t" else op.at + len(op.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if op.kind == "t":
        del content[op.at :]
    else:
        content[op.at : end] = op.data


def _survivors(ops: list[Op], dice: random.Random) -> Sequence[Op]:
    mode = dice.choice(("none", "all", "first", "some", "torn"))
    if mode == "none":
        return []
    if mode in {"all", "first"}:
        return ops[: len(ops) if mode == "all" else dice.randint(0, len(ops))]
    some = [op for op in ops if dice.random() < 0.5]
    return some if mode == "some" else [piece for op in some for piece in _torn(op, dice)]


def _torn(op: Op, dice: random.Random) -> Iterator[Op]:
    if op.kind != "w" or len(op.data) <= SECTOR:
        yield op
        return
    for start in range(0, len(op.data), SECTOR):
        if dice.random() < 0.6:
            yield Op("w", inode=op.inode, at=op.at + start, data=op.data[start : start + SECTOR])


def _renamed(
    names: dict[str, Inode], changes: Iterable[tuple[Op, Inode | None]]
) -> dict[str, Inode]:
    names = dict(names)
    for op, inode in changes:
        if op.kind == "c" and inode is not None:
            names[op.name] = inode
        elif op.kind == "u":
            names.pop(op.name, None)
        elif op.kind == "r":
            new = op.data.decode()
            for old in [n for n in names if n == op.name or n.startswith(f"{op.name}/")]:
                names[new + old[len(op.name) :]] = names.pop(old)
    return names


@cache
def shim(source: Path = SHIM) -> Path:
    """A library to be preloaded, compiled once per test run."""
    made = Path(tempfile.mkdtemp(prefix=f"{source.stem}-")) / f"{source.stem}.so"
    compiler = shutil.which(os.environ.get("CC", "cc")) or "cc"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return made


def watched(folder: Path, log: Path, fail: str = "") -> dict[str, str]:
    """The environment of a program whose file operations are recorded, or made to fail."""
    return {
        **os.environ,
        "IORECORD_ROOT": str(folder),
        "IORECORD_LOG": str(log),
        "IORECORD_FAIL": fail,
        "LD_PRELOAD": str(shim()),
    }


def record(folder: Path, command: Sequence[str]) -> list[Op]:
    """Run a program to its end and return what it did below the folder."""
    with tempfile.TemporaryDirectory(prefix="iorecord-") as room:
        log = Path(room, "log")
        subprocess.run(command, env=watched(folder, log), stdout=subprocess.DEVNULL, check=True)
        return list(_parsed(log.read_bytes()))


def _parsed(log: bytes) -> Iterator[Op]:
    header = struct.Struct("<IIQqQ")
    start = 0
    while start < len(log):
        kind, text, inode, at, size = header.unpack_from(log, start)
        start += header.size
        name = log[start : start + text].decode()
        start += text
        yield Op(chr(kind), name, inode, at, log[start : start + size])
        start += size


@dataclass(frozen=True, slots=True)
class State:
    """One thing a cut may leave, and what had been said by then."""

    files: dict[str, bytes]
    said: tuple[str, ...]
    where: str

    @property
    def print(self) -> bytes:
        """The same for the same files and the same claims."""
        digest = hashlib.blake2b(repr(self.said).encode(), digest_size=16)
        for name in sorted(self.files):
            digest.update(name.encode())
            digest.update(self.files[name])
        return digest.digest()

    @contextmanager
    def on_disk(self) -> Iterator[Path]:
        """A folder that holds it."""
        with scratch() as folder:
            for name, content in self.files.items():
                file = folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            yield folder


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder in memory, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="crash-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Share:
    """Which of the events one of several workers draws from."""

    worker: int = 0
    workers: int = 1


def states(
    ops: Iterable[Op], disk: Disk, seed: int, per_step: int, share: Share = Share()
) -> Iterator[State]:
    """Distinct states after every event, drawn with a seed; gives up where all look the same."""
    known: set[bytes] = set()
    said: list[str] = []
    for step, op in enumerate(ops):
        if op.kind == "m":
            said += op.data.decode().splitlines()
            continue
        disk.apply(op)
        if step % share.workers != share.worker:
            continue
        dice = random.Random(seed << 32 | step)  # noqa: S311 - repeatable on purpose
        stale = 0
        for _ in range(per_step):
            state = State(disk.cut(dice), tuple(said), f"event {step} ({op.kind})")
            name = state.print
            stale = stale + 1 if name in known else 0
            if not stale:
                known.add(name)
                yield state
            elif stale == STALE:
                break
