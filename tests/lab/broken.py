"""Builds of the daemon with one defence taken out, so that a test can prove that it would tell.

Each is a word on the command line of `tests.lab.failpoints`.
"""

import os
import socket
from collections.abc import Callable

from agent import logging
from agent.cloud.http import answer, client
from agent.daemon import socket as daemon_socket
from agent.daemon.rounds import Progress
from agent.daemon.service import Service
from agent.daemon.supervisor import Supervisor
from drivers.modbus.agenda import Agenda, Due

ENOUGH = 1 << 40


def catches_up() -> None:
    """Polls that were missed are made all the same, one after the other."""

    def take(self: Agenda, now_ms: int) -> Due:
        del now_ms
        at, unit, each = self._heap.pop(0)
        self._heap.append((at + each, unit, each))
        return Due(unit, frozenset({each}))

    setattr(Agenda, "take", take)  # noqa: B010 - openly replaced


def feeds_blindly() -> None:
    """The watchdog is fed by a timer, whatever moves."""
    setattr(Progress, "stuck", lambda _: None)  # noqa: B010 - openly replaced


def inflates() -> None:
    """An answer may be as large as it likes, packed and unpacked."""
    vars(answer)["ANSWER_MAX"] = vars(client)["ANSWER_MAX"] = ENOUGH


def unsupervised() -> None:
    """What a driver raises is everybody's."""

    async def run(self: Supervisor) -> None:
        await self._open_driver().run(self._sink)

    setattr(Supervisor, "run", run)  # noqa: B010 - openly replaced


def writes_hard() -> None:
    """A log that cannot be written is an error, or is waited for."""

    def write(_: object, line: bytes) -> int:
        return os.write(logging.STANDARD_ERROR, line)

    setattr(logging.Output, "write", write)  # noqa: B010 - openly replaced


def talks_on() -> None:
    """Every event is logged."""
    setattr(logging.Limit, "_passes", lambda *_: True)  # noqa: B010 - openly replaced


def calls_anew() -> None:
    """A new socket each time systemd is told something."""
    sound = Service._send  # noqa: SLF001 - the part that is replaced

    def send(self: Service, text: str) -> None:
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).close()
        sound(self, text)

    setattr(Service, "_send", send)  # noqa: B010 - openly replaced


def spares_nothing() -> None:
    """Who talks to the daemon may take its last descriptor."""
    vars(daemon_socket)["SPARE"] = 0


def watches_nobody() -> None:
    """A process that hangs where no systemd is hangs for ever."""
    setattr(Service, "_watch", lambda *_: None)  # noqa: B010 - openly replaced


BROKEN: dict[str, Callable[[], None]] = {
    "catches-up": catches_up,
    "feeds-blindly": feeds_blindly,
    "inflates": inflates,
    "unsupervised": unsupervised,
    "writes-hard": writes_hard,
    "talks-on": talks_on,
    "calls-anew": calls_anew,
    "watches-nobody": watches_nobody,
    "spares-nothing": spares_nothing,
}
