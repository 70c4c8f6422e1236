"""What systemd is told (sd_notify(3)): ready, alive because there is progress, stopping.

The watchdog is fed by progress, not by a timer: whoever feeds it has looked.
"""

import os
import socket

from agent import logging

log = logging.get("service")


class Service:
    """The notification socket of the unit, or nothing where there is none."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")

    @property
    def supervised(self) -> bool:
        """Whether systemd started us."""
        return bool(self._address)

    @property
    def watchdog_s(self) -> float | None:
        """Half of WatchdogSec, the rhythm in which it must be fed; None without one."""
        wanted = os.environ.get("WATCHDOG_USEC")
        return int(wanted) / 2e6 if wanted and self._address else None

    def ready(self, status: str) -> None:
        """Samples can be accepted from here on."""
        self._send(f"READY=1\nSTATUS={status}")

    def alive(self, status: str) -> None:
        """There is progress; `status` is the line of `systemctl status`."""
        self._send(f"WATCHDOG=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Show a line without feeding the watchdog: something has stopped moving."""
        self._send(f"STATUS={status}")

    def stopping(self) -> None:
        """The last commits are being made."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        name = self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
            try:
                notify.connect("\0" + name[1:] if name.startswith("@") else name)
                notify.sendall(text.encode())
            except OSError as error:
                log.warning(
                    "systemd cannot be told how we are.",
                    event_type="service.notify_failed",
                    error=str(error),
                )
