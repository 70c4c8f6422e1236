"""A TCP connection to a device or converter: one exchange at a time, one connection for all units.

Connecting happens at the first exchange after a loss, because many devices close a connection that
idles; what cannot be connected then is lost.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final

from agent.driver import ConnectionState, DriverError
from drivers.modbus.frames import ROLL_OVER, Damaged, Framing, Silent
from drivers.modbus.plan import Host
from drivers.modbus.wire import Ask, Heard

CONNECT_S: Final = 5.0  # a device on the same network answers in milliseconds
UNACKNOWLEDGED_MS: Final = 8000  # data that nobody acknowledges for so long: the peer is gone


_Find = Callable[[bytearray], bytes | None]


class TcpWire:
    """A `Wire` through TCP.

    Args:
        place: host and port.
        framing: MBAP, or RTU frames for converters that pass them through.
        numbered: the framing tells answers apart by a number, so a late one needs no drain.
    """

    def __init__(self, place: Host, framing: Framing, *, numbered: bool) -> None:
        self._place, self._framing, self._numbered = place, framing, numbered
        self._link: _Link | None = None
        self._number = 0

    async def open(self) -> None:
        """Connect.

        Raises:
            DriverError: the host cannot be reached, or refuses.
        """
        await self._connected()

    async def exchange(self, ask: Ask) -> Heard:
        """One request and its answer.

        A connection that turns out to be closed is opened again once: devices forget idle ones.
        """
        used = self._link is not None and self._link.quiet_at > 0
        try:
            return await self._once(ask)
        except DriverError:
            if not used or not ask.repeatable:
                raise
        return await self._once(ask)

    async def _once(self, ask: Ask) -> Heard:
        link = await self._connected()
        if ask.gap_s and (left := link.quiet_at + ask.gap_s - link.loop.time()) > 0:
            await asyncio.sleep(left)
        self._number = (self._number + 1) % ROLL_OVER
        frame = self._framing.frame(ask.request, self._number)
        sent = link.loop.time()
        try:
            answer, late = await self._answer(link, ask, frame)
        except (Damaged, asyncio.CancelledError):
            # a stream that is out of step never comes back into step
            await self.close()
            raise
        link.quiet_at = link.loop.time()
        return Heard(self._framing.pdu(answer), frame, answer, link.quiet_at - sent, late)

    async def close(self) -> None:
        """Let the connection go."""
        link, self._link = self._link, None
        if link is not None:
            await link.abort()

    async def _answer(self, link: "_Link", ask: Ask, frame: bytes) -> tuple[bytes, bool]:
        """The answer's frame, and whether it was late."""
        number = self._number

        def find(heard: bytearray) -> bytes | None:
            return self._framing.find(heard, ask.request, number)

        try:
            return await link.ask(frame, find, ask.timeout_s), False
        except Silent:
            if self._numbered:
                raise
        try:
            return await link.ask(b"", find, ask.timeout_s), True
        except Silent:
            # without numbers only a new connection is safe from the old answer
            await self.close()
            raise

    async def _connected(self) -> "_Link":
        if self._link is not None and not self._link.lost:
            return self._link
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                _, link = await loop.create_connection(
                    lambda: _Link(loop, self._place), self._place.host, self._place.port
                )
        except (OSError, TimeoutError) as error:
            raise unreachable(self._place, error) from error
        self._link = link
        return link


class _Link(asyncio.Protocol):
    """The connection, and the one question that is open on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, place: Host) -> None:
        self.loop, self._place = loop, place
        self.lost = False
        self.quiet_at = 0.0
        self._ended = asyncio.Event()
        self._heard = bytearray()
        self._find: _Find | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, frame: bytes, find: _Find, timeout_s: float) -> bytes:
        """Send, if there is something to send, and wait for what `find` finds.

        Raises:
            Silent: nothing was found in time.
            Damaged: by `find`.
            DriverError: the connection was lost.
        """
        if self._transport is None or self.lost:
            raise closed(self._place)
        self._answer, self._find = self.loop.create_future(), find
        self._deadline = self.loop.time() + timeout_s
        if self._timer is None or self._timer.when() > self._deadline:
            self._arm()
        if frame:
            self._heard.clear()
            self._transport.write(frame)
        try:
            return await self._answer
        finally:
            self._answer = self._find = None

    async def abort(self) -> None:
        """Close at once."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()
            await self._ended.wait()

    def connection_made(  # type: ignore[explicit-override]  # typing.override needs Python 3.12
        self, transport: asyncio.BaseTransport
    ) -> None:
        """Asyncio's callback."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- what create_connection makes
        self._transport = transport
        peer = transport.get_extra_info("socket")
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)

    def data_received(  # type: ignore[explicit-override]  # typing.override needs Python 3.12
        self, data: bytes
    ) -> None:
        """Asyncio's callback."""
        self._heard += data
        answer, find = self._answer, self._find
        if find is None or answer is None or answer.done():
            return
        try:
            found = find(self._heard)
        except Damaged as error:
            answer.set_exception(error)
            return
        if found is not None:
            answer.set_result(found)

    def connection_lost(  # type: ignore[explicit-override]  # typing.override needs Python 3.12
        self,
        exc: Exception | None,  # noqa: ARG002 -- asyncio's callback
    ) -> None:
        """Asyncio's callback."""
        self.lost = True
        self._ended.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(closed(self._place))

    def _arm(self) -> None:
        """One timer serves many questions: it looks again when it fires too early."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(self._deadline, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        if self._answer is None or self._answer.done():
            return
        if self.loop.time() < self._deadline:
            self._arm()
        else:
            self._answer.set_exception(Silent())


def unreachable(place: Host, error: OSError) -> DriverError:
    """The host does not take our connection, and why."""
    written = f"{place.host}:{place.port}"
    if error.errno == errno.ECONNREFUSED:
        message = f"{place.host} is there but refuses port {place.port}"
        action = (
            'Enable "Modbus TCP" in its menu, or end the other program that is connected '
            "(most accept only one)."
        )
    elif isinstance(error, socket.gaierror):
        message = f"there is no host called {place.host}"
        action = "Check `host:`, or write its address instead of its name."
    else:
        why = "no answer" if isinstance(error, TimeoutError) else _why(error)
        message = f"{written} cannot be reached ({why})"
        action = "Look at this device: power, network cable, address."
    return DriverError(ConnectionState.GONE, message, action=action)


def closed(place: Host) -> DriverError:
    """The other side ended the connection."""
    message = f"{place.host}:{place.port} closed the connection"
    action = "Most devices accept only one connection: is another program connected?"
    return DriverError(ConnectionState.GONE, message, action=action)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
