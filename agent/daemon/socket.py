"""The daemon's one door: a Unix socket with lines of JSON, where the caller's uid decides the role.

Collecting and sending never wait for a client: places, bytes and time of each are bounded, and one
that does not read what it asked for is closed. The protocol's two ends are here and in
`agent.client.lines`.
"""

import asyncio
import errno
import os
import pwd
import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agent import logging
from agent.client.paths import reachable
from agent.client.places import PLAIN
from agent.client.role import Role
from agent.daemon.conversation import Audit, Conversation, Peer, StreamVerb, Verb, Verbs
from agent.errors import BusyError

__all__ = ["Peer", "Role", "Roles", "SocketServer", "StreamVerb", "Verb"]

CONNECTIONS_MAX = 16
STATUS_CONNECTIONS_MAX = 4  # the status process faces a network and must not take every place
ADMIN_RESERVE = 2  # places that only an admin gets: the last way in when others fill the rest
MODE = 0o660  # user and group of the service; the directory keeps everybody else out
ACCEPT_AGAIN_S = 1.0  # when the machine has no descriptors left, trying faster helps nobody
SPARE = 12  # descriptors that no client gets: instruments, store and clouds come first
REQUEST_BYTES_MAX = 300_000  # a configuration of 256 kB fits

_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid

log = logging.get("socket")


@dataclass(frozen=True, slots=True)
class Roles:
    """Which uid is who; everybody else who may open the socket is an operator.

    Attributes:
        own: uid of the daemon; an admin, like root.
        status: uid of the status process, if it has one of its own; a viewer.
    """

    own: int
    status: int | None = None

    @classmethod
    def of_this_machine(cls, status_user: str = "fieldpost-status") -> "Roles":
        """The daemon's own uid, and that of the status process where such a user exists."""
        with suppress(KeyError):
            return cls(os.geteuid(), pwd.getpwnam(status_user).pw_uid)
        return cls(os.geteuid())

    def peer(self, pid: int, uid: int) -> Peer:
        """Who a process of that uid is."""
        if uid == self.status and uid != self.own:
            return Peer(pid, uid, Role.VIEWER, status=True)
        return Peer(pid, uid, Role.ADMIN if uid in {0, self.own} else Role.OPERATOR)


class SocketServer:
    """Listens until cancelled.

    Args:
        path: where; longer than the kernel's 107 bytes is fine.
        verbs: by name.
        roles: which uid is who.
        audit: told peer, verb, arguments and result of everything that changes something.
        command: what to type before a verb that is to mean this daemon.

    Attributes:
        ready: set while clients can connect.
    """

    def __init__(
        self,
        path: Path,
        verbs: Verbs,
        roles: Roles,
        audit: Audit | None = None,
        *,
        command: str = PLAIN,
    ) -> None:
        self.ready = asyncio.Event()
        self._path = path
        self._verbs = verbs
        self._roles = roles
        self._audit = audit
        self._command = command
        self._peers: list[Peer] = []

    async def run(self) -> None:
        """Serve.

        Raises:
            BusyError: another daemon already listens there.
            OSError: the socket cannot be made.
        """
        with _listening(self._path) as listener:
            self.ready.set()
            async with asyncio.TaskGroup() as group:
                while True:
                    wire, peer = await self._accept(listener)
                    group.create_task(self._serve(wire, peer), name=f"socket client {peer.pid}")

    async def _accept(self, listener: socket.socket) -> tuple[socket.socket, Peer]:
        while True:
            try:
                wire, _ = await asyncio.get_running_loop().sock_accept(listener)
                _leave_some(wire)
                pid, uid, _ = _CREDENTIALS.unpack(
                    wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
                )
            except OSError as error:  # no descriptors left, or the client is gone already
                log.warning(
                    "A program could not be let in.",
                    event_type="socket.accept_failed",
                    reason=error.strerror,
                )
                await asyncio.sleep(ACCEPT_AGAIN_S)
            else:
                return wire, self._roles.peer(pid, uid)

    async def _serve(self, wire: socket.socket, peer: Peer) -> None:
        streams = await asyncio.open_unix_connection(sock=wire, limit=REQUEST_BYTES_MAX)
        conversation = Conversation(streams, peer, self._verbs, self._audit, self._command)
        if self._full(peer):
            message = "Too many programs talk to the daemon already."
            conversation.refuse(BusyError(message, action="Close one of them and try again"))
            streams[1].close()
            return
        self._peers.append(peer)
        try:
            with suppress(OSError):  # the client is gone
                await conversation.run()
        finally:
            self._peers.remove(peer)
            streams[1].close()

    def _full(self, peer: Peer) -> bool:
        if peer.status and sum(p.status for p in self._peers) >= STATUS_CONNECTIONS_MAX:
            return True
        reserve = 0 if peer.role is Role.ADMIN else ADMIN_RESERVE
        return len(self._peers) >= CONNECTIONS_MAX - reserve


def _leave_some(wire: socket.socket) -> None:
    """Send a client away that takes one of the last descriptors (the lowest free one is given).

    Raises:
        OSError: it did.
    """
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if wire.fileno() >= most - SPARE:
        wire.close()
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    with reachable(path) as address, socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(0)
        _clear(path, address)
        listener.bind(address)
        try:
            path.chmod(MODE)  # before listen(): until then nobody can connect
            listener.listen(CONNECTIONS_MAX)
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _clear(path: Path, address: str) -> None:
    """Remove what a killed daemon left behind; a living one answers."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0)
        try:
            probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except BlockingIOError:
            pass  # its queue is full: it lives
    message = f"another fieldpost already listens at {path}"
    raise BusyError(message, action="stop it first: sudo systemctl stop fieldpost")
