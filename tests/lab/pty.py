"""A serial line without hardware: a pty under a stable name, which can be unplugged.

It carries bytes at once and knows no baud rate, parity or modem lines. A pty that nobody has open
reports a hang-up, so this end keeps the other one open.
"""

import os
import tty
from pathlib import Path
from typing import Self


class Pty:
    """One plugged-in instrument; `path` is the port a driver opens.

    Args:
        path: the stable name, a link as udev makes below /dev/serial/by-id.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ends: tuple[int, ...] = ()

    def plug(self) -> None:
        """The adapter is there, under the same name, perhaps with another number."""
        instrument, driver = os.openpty()
        tty.setraw(driver)
        self._ends = instrument, driver
        self.path.symlink_to(os.ttyname(driver))

    def unplug(self) -> None:
        """The adapter is pulled out."""
        self.path.unlink(missing_ok=True)
        for end in self._ends:
            os.close(end)
        self._ends = ()

    def send(self, data: bytes) -> None:
        """The instrument speaks."""
        os.write(self._ends[0], data)

    def __enter__(self) -> Self:
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()
