"""systemd's end of the notification socket (sd_notify(3)), without systemd."""

import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self


class Listener:
    """Hears what a daemon tells of itself; `with`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._heard: list[str] = []

    def __enter__(self) -> Self:
        self._socket.bind(str(self._path))
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._path.unlink()

    def environment(self, watchdog_s: float) -> Mapping[str, str]:
        """What systemd gives a unit with such a WatchdogSec."""
        return {"NOTIFY_SOCKET": str(self._path), "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}

    def fed(self) -> int:
        """How often the watchdog was fed so far."""
        with suppress(BlockingIOError):
            while True:
                self._heard.append(self._socket.recv(4096).decode())
        return sum("WATCHDOG=1" in message for message in self._heard)

    def forget(self) -> None:
        """Count from here on."""
        self.fed()
        self._heard.clear()
