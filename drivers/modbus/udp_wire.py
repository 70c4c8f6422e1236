"""Modbus in datagrams: one frame each, told apart by its number, lost without a word."""

import asyncio
from typing import Final, cast

from drivers.modbus.frames import ROLL_OVER, Framing, Silent
from drivers.modbus.plan import Host
from drivers.modbus.tcp_wire import unreachable
from drivers.modbus.wire import Ask, Heard

RESOLVE_S: Final = 5.0


class UdpWire:
    """A `Wire` through UDP.

    Args:
        place: host and port.
        framing: how a datagram looks inside; MBAP.
    """

    def __init__(self, place: Host, framing: Framing) -> None:
        self._place, self._framing = place, framing
        self._post: _Post | None = None
        self._number = 0

    async def open(self) -> None:
        """Find the host and take a port of our own; nobody is asked.

        Raises:
            DriverError: there is no such host.
        """
        loop, place = asyncio.get_running_loop(), self._place
        try:
            async with asyncio.timeout(RESOLVE_S):
                _, self._post = await loop.create_datagram_endpoint(
                    lambda: _Post(place), remote_addr=(place.host, place.port)
                )
        except (OSError, TimeoutError) as error:
            raise unreachable(place, error) from error

    async def exchange(self, ask: Ask) -> Heard:
        """One request and its answer."""
        if self._post is None:
            await self.open()
        post, loop = self._post, asyncio.get_running_loop()
        assert post is not None  # noqa: S101 -- opened above
        self._number = (self._number + 1) % ROLL_OVER
        frame, sent = self._framing.frame(ask.request, self._number), loop.time()
        try:
            async with asyncio.timeout(ask.timeout_s):
                answer = await self._answer(post, ask, frame)
        except TimeoutError as error:
            raise Silent from error
        return Heard(self._framing.pdu(answer), frame, answer, loop.time() - sent)

    async def close(self) -> None:
        """Give the port back."""
        post, self._post = self._post, None
        if post is not None:
            await post.close()

    async def _answer(self, post: "_Post", ask: Ask, frame: bytes) -> bytes:
        """The datagram with our number; others are late or of somebody else."""
        post.send(frame)
        while True:
            datagram = await post.receive()
            found = self._framing.find(datagram, ask.request, self._number)
            if found is not None:
                return found


class _Post(asyncio.DatagramProtocol):
    """The port, and one datagram at a time."""

    def __init__(self, place: Host) -> None:
        self._place = place
        self._transport: asyncio.DatagramTransport | None = None
        self._next: asyncio.Future[bytes] | None = None
        self._ended = asyncio.Event()

    def send(self, frame: bytes) -> None:
        """One datagram to the device."""
        if self._transport is not None:
            self._transport.sendto(frame)

    async def receive(self) -> bytes:
        """The next datagram from it.

        Raises:
            DriverError: the host says that nobody listens there.
        """
        self._next = asyncio.get_running_loop().create_future()
        return await self._next

    async def close(self) -> None:
        """Give the port back."""
        if self._transport is not None:
            self._transport.abort()
            await self._ended.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's callback."""
        # Python 3.11's own class for it does not derive from DatagramTransport
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(
        self,
        data: bytes,
        addr: tuple[str, int],  # noqa: ARG002 -- asyncio's callback
    ) -> None:
        """Asyncio's callback."""
        if self._next is not None and not self._next.done():
            self._next.set_result(data)

    def connection_lost(
        self,
        exc: Exception | None,  # noqa: ARG002 -- asyncio's callback
    ) -> None:
        """Asyncio's callback."""
        self._ended.set()

    def error_received(self, exc: Exception) -> None:
        """Asyncio's callback: an ICMP answer to what we sent."""
        if self._next is not None and not self._next.done():
            self._next.set_exception(unreachable(self._place, OSError(*exc.args)))
