"""Damaged stores, put aside whole by one rename, until they are salvaged or make room."""

import shutil
from contextlib import suppress
from pathlib import Path

from agent.daemon.buffer.witness import Witness, WitnessFile, sync

SHARE = 4  # of the quota, at most a quarter


class Quarantine:
    """The folder `quarantine/` beside `buffer/`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.folder = home / "quarantine"

    @property
    def misplaced(self) -> bool:
        """Something lies where the folder or the file of a store should be."""
        folder = self._home / "buffer"
        file = folder / "buffer.db"
        return folder.exists() and not (folder.is_dir() and (file.is_file() or not file.exists()))

    def put_aside(self) -> Path:
        """Move `buffer/` here as it is.

        Raises:
            OSError: it cannot be moved.
        """
        self.folder.mkdir(mode=0o750, exist_ok=True)
        sync(self._home)
        place = self.folder / f"{self._next():04d}"
        (self._home / "buffer").rename(place)
        sync(self._home)
        sync(self.folder)
        if place.is_dir():
            with suppress(OSError):  # what it should contain, for the count of what is missing
                shutil.copy(self._home / "witness", place / "witness")
        return place

    def take_over(self, other: Path) -> int:
        """Bring in what another home beside this one collected: it is salvaged like the rest.

        Returns:
            How many stores that were.

        Raises:
            OSError: it cannot be moved; the next start goes on with what is still there.
        """
        found = [*Quarantine(other).places(), *other.glob("buffer")]
        for store in found:
            self.folder.mkdir(mode=0o750, exist_ok=True)
            sync(self._home)
            if store.is_dir() and not (store / "witness").exists():
                with suppress(OSError):
                    shutil.copy(other / "witness", store / "witness")
            store.rename(self.folder / f"{self._next():04d}")
            sync(self.folder)
        shutil.rmtree(other, ignore_errors=True)
        return len(found)

    def places(self) -> list[Path]:
        """What lies here, oldest first."""
        with suppress(OSError):
            return sorted(self.folder.iterdir())
        return []

    def holds(self, witness: Witness) -> bool:
        """Whether the store that a witness speaks of lies here."""
        copies = (WitnessFile(place / "witness").read() for place in self.places())
        return any(copy is not None and copy.epoch == witness.epoch for copy in copies)

    def remove(self, place: Path) -> None:
        """One is no longer needed; what cannot be removed stays."""
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            with suppress(OSError):
                place.unlink()
        with suppress(OSError):
            self.folder.rmdir()

    def used_bytes(self) -> int:
        """What all of it takes."""
        return sum(size_of(place) for place in self.places())

    def beyond(self, limit_bytes: int) -> list[Path]:
        """The oldest, which have to go so that the rest fits; the newest stays."""
        places = self.places()
        sizes = [size_of(place) for place in places]
        going = 0
        while going < len(places) - 1 and sum(sizes[going:]) > limit_bytes:
            going += 1
        return places[:going]

    def _next(self) -> int:
        numbers = [int(place.name) for place in self.places() if place.name.isdigit()]
        return max(numbers, default=0) + 1


def size_of(place: Path) -> int:
    """Bytes that a file, or a folder with all that is in it, takes."""
    total = 0
    with suppress(OSError):
        for file in [place, *place.rglob("*")]:
            total += file.stat().st_blocks * 512
    return total
