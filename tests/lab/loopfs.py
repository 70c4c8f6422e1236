"""A small ext4 file system of our own: fill it, cut its power, count what reaches its device.

It lives in a file (on /dev/shm where there is one, so that no real card is worn), is attached to a
loop device and mounted for as long as the `with` block lasts.

    with LoopFs("64M") as fs:
        (fs.path / "hello").write_text("there")
        before = fs.traffic()
        fs.cut()                    # power cut: what was not fsynced is gone; mounted again
        fs.fill()                   # somebody else's logs take the last byte
        fs.empty()                  # ... and are rotated away

Needs root, losetup, mkfs.ext4 and a kernel with loop devices. The process moves into a mount
namespace of its own: nobody else sees the mounts, and however it ends, they go with it. That is not
tidiness alone: a copy of the mount in somebody else's namespace (`ip netns exec` makes one) keeps
the stopped file system alive through umount and mount, caches and all, and the cut never happened.
`cut` uses EXT4_IOC_SHUTDOWN, the call behind xfstests' `godown`: the journal is not flushed, every
later write fails, the next mount replays the journal as it would after a real cut. It cannot show a
device that lies about flushes or tears sectors; crashes.py does that.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

CLONE_NEWNS = 0x20000
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2  # the journal stays as it is on the device
SECTOR = 512
FILLER = "somebody-elses-logs"


@dataclass(frozen=True)
class Traffic:
    """What a block device has received so far."""

    writes: int
    written: int  # bytes
    flushes: int

    def since(self, earlier: Traffic) -> Traffic:
        """Return what came after `earlier`."""
        return Traffic(
            self.writes - earlier.writes,
            self.written - earlier.written,
            self.flushes - earlier.flushes,
        )


class LoopFs:
    """One mounted ext4 file system in a file, gone when the block ends."""

    def __init__(
        self, size: str = "64M", mkfs: tuple[str, ...] = (), options: str = "noatime"
    ) -> None:
        """Remember the wishes: size for truncate(1), extra mkfs.ext4 arguments, mount options."""
        self._size, self._mkfs, self._options = size, mkfs, options
        self._room = Path()
        self._device = ""
        self._hold = -1

    def __enter__(self) -> Self:
        """Make the file system and mount it."""
        own_mounts()
        memory = Path("/dev/shm")  # noqa: S108 - a tmpfs, wanted for speed
        self._room = Path(
            tempfile.mkdtemp(prefix="loopfs-", dir=memory if memory.is_dir() else None)
        )
        try:
            self.path.mkdir()
            _run("truncate", "-s", self._size, str(self._image))
            self._device = _run("losetup", "--find", "--show", str(self._image)).strip()
            self._hold = os.open(self._device, os.O_RDONLY)
            _run("losetup", "--detach", self._device)  # takes effect when we let go, however we end
            self._image.unlink()
            quiet = "nodiscard,lazy_itable_init=0,lazy_journal_init=0"  # no writes but ours
            _run("mkfs.ext4", "-q", "-E", quiet, *self._mkfs, self._device)
            self._mount()
        except BaseException:
            self._clear()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Unmount and remove every trace."""
        self._clear()

    @property
    def path(self) -> Path:
        """Where it is mounted."""
        return self._room / "mnt"

    def cut(self) -> None:
        """Cut the power and mount again, as after a reboot; no process may have files open."""
        self.cut_power()
        self.remount()

    def cut_power(self) -> None:
        """Stop the file system where it stands: from now on every write fails."""
        root = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(root, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(root)

    def remount(self) -> None:
        """Mount again; the journal is replayed."""
        _run("umount", str(self.path))
        self._mount()
        probe = self.path / "probe"
        probe.touch()  # fails when the old, stopped file system has been kept alive
        probe.unlink()

    def fill(self) -> int:
        """Take the last free byte, as a runaway log would; return how many bytes that took."""
        taken = 0
        filler = os.open(self.path / FILLER, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        for size in (1 << 20, 4096, SECTOR, 1):
            with suppress(OSError):
                while True:
                    taken += os.write(filler, b"x" * size)
        os.close(filler)
        return taken

    def empty(self) -> None:
        """Give back what `fill` took."""
        (self.path / FILLER).unlink(missing_ok=True)

    def refuse_writes(self) -> None:
        """Read-only from now on; no process may have files open for writing."""
        _run("mount", "-o", "remount,ro", str(self.path))

    def allow_writes(self) -> None:
        """Writable again."""
        _run("mount", "-o", "remount,rw", str(self.path))

    def go_read_only(self) -> None:
        """Let the kernel find an error: it lets nobody write any more, files open or not.

        What `errors=remount-ro`, the default of most distributions, does on a dying card; mount
        with that option. Only `remount` ends it.
        """
        name = Path(self._device).name
        Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("a test")

    def traffic(self) -> Traffic:
        """Write everything out and read the device's counters (flushes need Linux 5.5)."""
        root = os.open(self.path, os.O_RDONLY)
        ctypes.CDLL(None).syncfs(root)
        os.close(root)
        stat = Path(f"/sys/block/{Path(self._device).name}/stat").read_text().split()
        return Traffic(int(stat[4]), int(stat[6]) * SECTOR, int(stat[15]) if len(stat) > 15 else 0)

    @property
    def _image(self) -> Path:
        return self._room / "image"

    def _mount(self) -> None:
        _run("mount", "-o", self._options, self._device, str(self.path))

    def _clear(self) -> None:
        subprocess.run(["umount", str(self.path)], check=False, capture_output=True)
        if self._hold >= 0:
            os.close(self._hold)
        shutil.rmtree(self._room, ignore_errors=True)


def own_mounts() -> None:
    """Move this process into a mount namespace of its own, once."""
    global _alone  # noqa: PLW0603 - a namespace is a property of the process
    if _alone:
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNS): root is needed")
    _run("mount", "--make-rprivate", "/")
    _alone = True


_alone = False


def _run(*command: str) -> str:
    """Run one system command; its complaint becomes the exception's text."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        message = f"{' '.join(command)}: {done.stderr.strip() or done.returncode}"
        raise OSError(message)
    return done.stdout
