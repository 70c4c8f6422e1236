"""A TCP connection to a device or converter: one exchange at a time, one connection for all units.

Connecting happens at the first exchange after a loss, because many devices close a connection that
idles; what cannot be connected then is lost.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Final

from agent.driver import ConnectionState, DriverError
from drivers.modbus.frames import ROLL_OVER, Damaged, Framing, Silent
from drivers.modbus.plan import Host
from drivers.modbus.requests import Request
from drivers.modbus.wire import Ask, Heard

ROOM: Final = 1024  # bytes read at once; an answer has at most 260
CONNECT_S: Final = 5.0  # a device on the same network answers in milliseconds
UNACKNOWLEDGED_MS: Final = 8000  # data that nobody acknowledges for so long: the peer is gone


class TcpWire:
    """A `Wire` through TCP.

    Args:
        place: host and port.
        framing: MBAP, or RTU frames for converters that pass them through.
        numbered: the framing tells answers apart by a number, so a late one needs no drain.
        context: makes the TLS settings; None: plain TCP.
    """

    def __init__(
        self,
        place: Host,
        framing: Framing,
        *,
        numbered: bool,
        context: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._place, self._framing, self._numbered = place, framing, numbered
        self._context = context
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
        link = self._link
        if link is None or link.lost:
            link = await self._connected()
        elif ask.repeatable:
            try:
                return await self._once(link, ask)
            except DriverError:
                link = await self._connected()
        return await self._once(link, ask)

    async def _once(self, link: "_Link", ask: Ask) -> Heard:
        """One request on one connection."""
        if ask.gap_s and (left := link.quiet_at + ask.gap_s - link.loop.time()) > 0:
            await asyncio.sleep(left)
        self._number = number = (self._number + 1) % ROLL_OVER
        frame = self._framing.frame(ask.request, number)
        sent, late = link.loop.time(), False
        question = _Question(self._framing, ask.request, number)
        try:
            answer = await link.ask(frame, question, sent + ask.timeout_s)
        except Silent:
            if self._numbered:
                raise
            answer, late = await self._late(link, question, sent + 2 * ask.timeout_s), True
        except (Damaged, asyncio.CancelledError):
            # a stream that is out of step never comes back into step
            await self.close()
            raise
        link.quiet_at = link.loop.time()
        return Heard(self._framing.pdu(answer), frame, answer, link.quiet_at - sent, late)

    async def _late(self, link: "_Link", question: "_Question", until_s: float) -> bytes:
        """Wait as long again; then only a new connection is safe from the old answer."""
        try:
            return await link.ask(b"", question, until_s)
        except (Silent, Damaged, asyncio.CancelledError):
            await self.close()
            raise

    async def close(self) -> None:
        """Let the connection go."""
        link, self._link = self._link, None
        if link is not None:
            await link.abort()

    async def _connected(self) -> "_Link":
        if self._link is not None and not self._link.lost:
            return self._link
        loop, place = asyncio.get_running_loop(), self._place
        context = self._context() if self._context else None
        try:
            async with asyncio.timeout(CONNECT_S):
                _, link = await loop.create_connection(
                    lambda: _Link(loop, place), place.host, place.port, ssl=context
                )
        except (OSError, TimeoutError) as error:
            raise unreachable(self._place, error) from error
        self._link = link
        return link


class _Question:
    """What an answer is looked for with."""

    __slots__ = ("find", "number", "request")

    def __init__(self, framing: Framing, request: Request, number: int) -> None:
        self.find, self.request, self.number = framing.find, request, number


class _Link(asyncio.BufferedProtocol):
    """The connection, and the one question that is open on it.

    Buffered, because a plain protocol has 256 KiB allocated for each answer of a few bytes, which
    doubles what a request costs.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, place: Host) -> None:
        self.loop, self._place = loop, place
        self.lost = False
        self.quiet_at = 0.0
        self._ended = asyncio.Event()
        self._room = bytearray(ROOM)
        self._heard = b""
        self._question: _Question | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, frame: bytes, question: _Question, until_s: float) -> asyncio.Future[bytes]:
        """Send, if there is something to send; the future is the answer's frame.

        It raises `Silent` at `until_s`, `Damaged` as `Framing.find` does, and `DriverError` when
        the connection is lost.
        """
        answer = self._answer = self.loop.create_future()
        if self._transport is None or self.lost:
            answer.set_exception(closed(self._place))
            return answer
        self._question, self._deadline = question, until_s
        if self._timer is None or self._timer.when() > until_s:
            self._arm()
        if frame:
            self._heard = b""
            self._transport.write(frame)
        return answer

    async def abort(self) -> None:
        """Close at once."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()
            await self._ended.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's callback."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- what create_connection makes
        self._transport = transport
        peer = transport.get_extra_info("socket")
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)

    def get_buffer(
        self,
        sizehint: int,  # noqa: ARG002 -- asyncio's callback
    ) -> bytearray:
        """Asyncio's callback."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Asyncio's callback."""
        answer, question = self._answer, self._question
        if answer is None or question is None or answer.done():
            return
        self._heard += self._room[:nbytes]
        try:
            found = question.find(self._heard, question.request, question.number)
        except Damaged as error:
            answer.set_exception(error)
            return
        if found is not None:
            answer.set_result(found)

    def connection_lost(
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
    elif isinstance(error, ssl.SSLError):
        message = f"{written} does not agree on TLS ({error.reason or error})"
        action = "Check `ca:`, the device's certificate and its clock."
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
