"""The note: how much is in RAM only, written beside the store where the disk takes that at least.

A file that is there since the first start and is written in place, so a full disk takes it, too.
What it tells is a bound: of what was delivered from RAM since then nothing is lost.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agent.daemon.buffer.model import Count
from agent.daemon.buffer.witness import Witness, WitnessFile

EVERY_S = 60.0  # between two notes: a disk that refuses is not asked more often
NOBODY = bytes(16).hex()


class RamNote:
    """The file `ram` beside the store; it has the form of a witness that counts from nothing."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._file = WitnessFile(home / "ram")

    def write(self, held: Count, *, exact: bool = False) -> bool:
        """Note what RAM holds.

        Args:
            held: what would be lost at this moment.
            exact: nothing more will come.

        Returns:
            Whether the disk took it.
        """
        with suppress(OSError):
            self._file.write(Witness(NOBODY, held.samples + 1, held.readings, 0, exact))
            return True
        return False

    def lost(self, fullest: Callable[[int], int], window_ms: int) -> Count | None:
        """What went with RAM at most; None where nothing did.

        Args:
            fullest: most readings that came within one window, doubled; reads a lot.
            window_ms: its length.
        """
        note = self._file.read()
        if note is None or self._exiled:
            return None
        lost = Count(note.next - 1, note.readings)
        if note.clean:
            return lost if lost.readings else None
        windows = int(EVERY_S * 1000) // window_ms + 1
        return lost + Count(0, windows * fullest(window_ms) // 2)

    def erase(self) -> None:
        """Nothing is in RAM only any more; while a store lies there, its note stays."""
        note = self._file.read()
        if self._exiled:
            return
        if note is None or not note.clean or note.readings:
            self.write(Count(), exact=True)

    @property
    def _exiled(self) -> bool:
        """Whether a store in RAM is still there: then it is brought in, and nothing of it lost."""
        exile = exile_of(self._home)
        return exile is not None and (exile / "buffer" / "buffer.db").exists()


def exile_of(home: Path) -> Path | None:
    """A folder in RAM for a store whose disk does not answer; None where there is none."""
    name = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16]
    for memory in (os.environ.get("RUNTIME_DIRECTORY", ""), "/dev/shm"):  # noqa: S108 - RAM is wanted
        if memory and os.access(memory, os.W_OK):
            return Path(memory) / f"fieldpost-{name}"
    return None
