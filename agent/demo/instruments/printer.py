"""A talking instrument's serial port: a pty that knows whether anybody listens."""

import os
import pty
import select
import tty
from pathlib import Path
from typing import Self


class Port:
    """One pty; the gateway finds its end under `link`."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self._fd = -1

    def __enter__(self) -> Self:
        self._fd, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(self._fd, False)
        self.link.symlink_to(os.ttyname(slave))
        # closed, so that the master can tell whether the gateway has it open
        os.close(slave)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        self.link.unlink(missing_ok=True)

    def print(self, line: str) -> bool:
        """Send one line; False when nobody had the port open, as a real wire would lose it."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        events = poll.poll(0)
        if not events or events[0][1] & select.POLLHUP:
            return False
        try:
            return os.write(self._fd, line.encode("ascii")) == len(line)
        except BlockingIOError:  # full: whoever opened it does not read
            return False
