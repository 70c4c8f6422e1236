"""What a destination costs on the wire, as the kernel counts it (Linux, tcp(7), `TCP_INFO`).

Counted are the bytes of each TCP connection both ways, what was sent twice included, and a header
for each segment. Not counted: DNS, and what the line below IP adds.
"""

import socket
import struct
from collections import deque
from typing import Protocol

INFO = struct.Struct("@120xQQII56xQ")  # bytes acked, received; segments out, in; bytes sent
HEADERS = {socket.AF_INET: 52, socket.AF_INET6: 72}  # IP, TCP and its time stamps
FAREWELL = 200  # what closing a connection costs after it was looked at last
CONNECTIONS = 8  # looked at; older ones are closed by now


class Socket(Protocol):
    """What is asked of a connection."""

    @property
    def family(self) -> int:
        """Of its addresses."""
        ...

    def getsockopt(self, level: int, name: int, size: int, /) -> bytes:
        """An option as the kernel has it."""
        ...


class Wire:
    """One connection; looked at while it is open, and for the last time before it is closed."""

    def __init__(self, sock: Socket) -> None:
        self._sock = sock
        self._header = HEADERS.get(socket.AddressFamily(sock.family), 0)
        self.bytes = 0

    def look(self) -> None:
        """Take note; what is closed keeps its last figure."""
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO.size)
        except OSError:
            return
        if len(info) == INFO.size:
            _, received, segments_out, segments_in, sent = INFO.unpack(info)
            headers = (segments_out + segments_in) * self._header
            self.bytes = sent + received + headers + FAREWELL


class Meter:
    """Adds up the connections of one destination."""

    def __init__(self) -> None:
        self._past = 0
        self._wires: deque[Wire] = deque()

    def opened(self, wire: Wire) -> None:
        """There is one more."""
        self._wires.append(wire)
        while len(self._wires) > CONNECTIONS:
            self._past += self._wires.popleft().bytes

    def look(self) -> None:
        """Take note of those that are open."""
        for wire in self._wires:
            wire.look()

    @property
    def total(self) -> int:
        """Bytes both ways since the start."""
        self.look()
        return self._past + sum(wire.bytes for wire in self._wires)
