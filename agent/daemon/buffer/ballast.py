"""Sixteen worthless megabytes: the way out of a file system that others have filled.

On a full one SQLite can neither insert nor delete, so an uplink could never free anything. Letting
the ballast go gives deletes room; it comes back when there is plenty.
"""

import os
from contextlib import suppress
from pathlib import Path

BALLAST_BYTES = 16 << 20
PLENTY = 4  # times its size must be free before it comes back


class Ballast:
    """The file."""

    def __init__(self, path: Path, size_bytes: int = BALLAST_BYTES) -> None:
        self._path = path
        self.size_bytes = size_bytes

    @property
    def there(self) -> bool:
        """Whether it can be let go."""
        return self._path.exists()

    def drop(self) -> bool:
        """Let it go; returns whether that freed anything."""
        if not self.there:
            return False
        with suppress(OSError):
            self._path.unlink()
            return True
        return False

    def restore(self) -> None:
        """Take it aboard again where there is plenty of room."""
        with suppress(OSError):
            space = os.statvfs(self._path.parent)
            if self.there or space.f_bavail * space.f_frsize < PLENTY * self.size_bytes:
                return
            self._fill()

    def _fill(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(descriptor, 0, self.size_bytes)
        except OSError:
            self._path.unlink()
        finally:
            os.close(descriptor)
