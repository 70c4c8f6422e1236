"""What systemd is told (sd_notify(3)): ready, alive because there is progress, stopping.

The watchdog is fed by progress, not by a timer: whoever feeds it has looked. Where no systemd
watches (a container, a hand-made service) the process watches over itself: Python's fault handler
needs neither the loop nor the interpreter's lock to end it and to say where it hung.
"""

import faulthandler
import os
import socket

from agent import logging

log = logging.get("service")

HANGS_S = 60.0  # WatchdogSec of the unit
STANDARD_ERROR = 2
STOPPING_S = 25.0  # the unit's TimeoutStopSec is 30: who hangs is to be named before
LINGERS_S = 3.0  # Python waits for threads at its end; an old Raspberry ends within one second


class Service:
    """The notification socket of the unit, or nothing where there is none."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None

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
        self._watch(HANGS_S)

    def alive(self, status: str) -> None:
        """There is progress; `status` is the line of `systemctl status`."""
        self._send(f"WATCHDOG=1\nSTATUS={status}")
        self._watch(HANGS_S)

    def status(self, status: str) -> None:
        """Show a line without feeding the watchdog: something has stopped moving."""
        self._send(f"STATUS={status}")

    def stopping(self) -> None:
        """The last commits are being made; who does not end in time is ended."""
        self._send("STOPPING=1")
        faulthandler.dump_traceback_later(STOPPING_S, exit=True, file=STANDARD_ERROR)

    def stopped(self) -> None:
        """Everything is committed; a thread that somebody left behind is not waited for."""
        faulthandler.dump_traceback_later(LINGERS_S, exit=True, file=STANDARD_ERROR)

    def _watch(self, seconds: float) -> None:
        """End the process unless this is called again in time.

        Not at a terminal: there a person watches, who may also stop a program and go on later.
        """
        if self.watchdog_s is None and not os.isatty(STANDARD_ERROR):
            faulthandler.dump_traceback_later(seconds, exit=True, file=STANDARD_ERROR)

    def _send(self, text: str) -> None:
        if not self._address:
            return
        name = self._address
        try:
            if self._socket is None:  # kept: there may be no descriptor left when it matters
                kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
                self._socket = socket.socket(socket.AF_UNIX, kind)
            self._socket.sendto(text.encode(), "\0" + name[1:] if name.startswith("@") else name)
        except OSError as error:
            log.warning(
                "systemd cannot be told how we are.",
                event_type="service.notify_failed",
                error=str(error),
            )
