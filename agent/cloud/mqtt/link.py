"""One MQTT connection: paho and its network thread on one side, the event loop on the other.

A link connects once, and is thrown away when anything goes wrong: paho's own reconnects, queues and
resends are off, the store is the only queue. What paho reports in its thread travels to the loop by
`call_soon_threadsafe`; nothing else crosses. Every wait has a deadline, so a dead thread or a
silent broker ends as `Unreachable`, whatever paho believes.
"""

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.cloud import Unreachable
from agent.cloud.metering import Meter, Wire
from agent.cloud.mqtt import reasons
from agent.cloud.mqtt.heard import counted
from agent.cloud.tls import explain
from agent.errors import FieldpostError

QOS = 1
WINDOW = 20  # unacknowledged messages: where paho is fastest
PACKET_MAX = 256_000_000  # MQTT's own limit, rounded down
KEEPALIVE_S = 30
DEAD_PEER_MS = 20_000  # unacknowledged bytes end the connection after that (RFC 5482)
CONNECT_S = 15.0
SESSION_S = 7200  # how long the broker keeps our session while we are away
GOODBYE_S = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to connect.

    Attributes:
        tls: None = unencrypted, to this machine only.
        will: topic and payload the broker publishes, retained, when we vanish.
        own_ends_ns: when the certificate we show runs out.
    """

    host: str
    port: int
    client_id: str
    tls: ssl.SSLContext | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    will: tuple[str, bytes] | None = None
    own_ends_ns: int | None = None

    @property
    def place(self) -> str:
        """Host and port, for people."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Session:
    """What the broker granted.

    Attributes:
        present: it still knew us.
        window: messages it takes before the first is acknowledged.
        packet_max: bytes of the largest packet it takes.
        aliases: how many topics may be abbreviated.
        retains: it keeps retained messages.
    """

    present: bool
    window: int = WINDOW
    packet_max: int = PACKET_MAX
    aliases: int = 0
    retains: bool = True


class Lost(Unreachable):
    """The connection ended."""


Answer = ReasonCode | FieldpostError


class Link:
    """One connection; open it once.

    Attributes:
        shown: the server's certificate in DER form, once it was seen.
    """

    def __init__(self, options: Options, meter: Meter, *, version_5: bool) -> None:
        self._options = options
        self._meter = meter
        self._loop = asyncio.get_running_loop()
        self._version_5 = version_5
        self._opened: asyncio.Future[Session] = self._loop.create_future()
        self._closed = asyncio.Event()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._aliases: dict[str, int] = {}
        self._session = Session(present=False)
        self._socket: Any = None
        self._wire: Wire | None = None
        self.shown: bytes | None = None
        self._client = self._made()
        self.failure: FieldpostError | None = None
        self.taken_over = False

    async def open(self) -> Session:
        """Connect; returns what the broker granted.

        Raises:
            FieldpostError: as `Cloud.send`.
        """
        options = self._options
        given: dict[str, Any] = {"keepalive": KEEPALIVE_S}
        if self._version_5:
            properties = _properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = SESSION_S
            given |= {"clean_start": False, "properties": properties}
        self._client.connect_async(options.host, options.port, **given)
        self._client.loop_start()
        try:
            async with asyncio.timeout(CONNECT_S):
                self._session = await self._opened
        except TimeoutError as error:
            message = f"no connection to {options.place} within {CONNECT_S:.0f} s"
            raise Unreachable(message) from error
        return self._session

    async def room(self) -> None:
        """Return when the broker takes one more message: paho does not heed its limit."""
        while len(self._waiting) >= self._session.window:
            await asyncio.wait(self._waiting.values(), return_when=asyncio.FIRST_COMPLETED)

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False
    ) -> asyncio.Future[Answer]:
        """Hand a message to the broker.

        The future ends with the broker's reason code, or with why there is none; it never raises.
        """
        answered: asyncio.Future[Answer] = self._loop.create_future()
        if self.failure:
            answered.set_result(self.failure)
            return answered
        name, properties = self._abbreviated(topic)
        info = self._client.publish(name, payload, QOS, retain, properties)
        if info.rc:
            message = f"{self._options.place} is not connected any more"
            answered.set_result(Lost(message))
        else:
            # paho's thread reports through the loop, so this always comes first
            self._waiting[info.mid] = answered
        return answered

    async def close(self) -> None:
        """Say goodbye and let go; a broker that does not care is left after a second."""
        self._client.disconnect()
        if self.failure is None and self._opened.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self._closed.wait()

    def _made(self) -> Client:
        options = self._options
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            protocol=MQTTv5 if self._version_5 else MQTTv311,
            clean_session=None if self._version_5 else False,
            reconnect_on_failure=False,
        )
        client.suppress_exceptions = True  # one in a callback would end the thread silently
        client.connect_timeout = CONNECT_S
        if options.tls:
            options.tls.sslsocket_class = counted(self._count)
            client.tls_set_context(options.tls)
        if options.username is not None:
            client.username_pw_set(options.username, options.password)
        if options.will:
            client.will_set(*options.will, qos=QOS, retain=True)
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _abbreviated(self, topic: str) -> tuple[str, Properties | None]:
        """A topic's alias once the broker knows it (MQTT 5.0, 3.3.2.3.4)."""
        if topic not in self._aliases and len(self._aliases) >= self._session.aliases:
            return topic, None
        known = topic in self._aliases
        alias = self._aliases.setdefault(topic, len(self._aliases) + 1)
        properties = _properties(PacketTypes.PUBLISH)
        properties.TopicAlias = alias
        return ("" if known else topic), properties

    # what follows runs in paho's thread and may only pass on

    def _on_connect(
        self, _: Client, __: Any, flags: ConnectFlags, code: ReasonCode, granted: Any
    ) -> None:
        if code.is_failure:
            text, place = str(code), self._options.place
            refused = reasons.connecting(reasons.number(code), text, place, self._options.client_id)
            self._pass(self._fail, refused)
            return
        session = Session(
            present=flags.session_present,
            window=min(WINDOW, getattr(granted, "ReceiveMaximum", WINDOW)),
            packet_max=getattr(granted, "MaximumPacketSize", PACKET_MAX),
            aliases=getattr(granted, "TopicAliasMaximum", 0),
            retains=bool(getattr(granted, "RetainAvailable", 1)),
        )
        self._pass(self._open, session)

    def _on_connect_fail(self, client: Client, _: Any) -> None:
        # paho calls this while it handles the exception, and tells no other way
        failed = reasons.unconnected(sys.exception(), self._options.place)
        client.disconnect()
        self._pass(self._fail, failed)

    def _on_disconnect(
        self, _: Client, __: Any, ___: DisconnectFlags, code: ReasonCode, ____: Any
    ) -> None:
        self._pass(self._lose, reasons.number(code), str(code))

    def _on_socket_open(self, _: Client, __: Any, sock: Any) -> None:
        # a vanished peer is noticed although paho waits for nothing from it
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_MS)
        self._socket = sock
        if self._options.tls:
            self.shown = sock.getpeercert(binary_form=True)
        else:
            self._count(Wire(sock))

    def _on_socket_close(self, _: Client, __: Any, ___: Any) -> None:
        if self._wire:
            self._wire.look()

    def _count(self, wire: Wire) -> None:
        self._wire = wire
        self._pass(self._meter.opened, wire)

    def _on_publish(self, _: Client, __: Any, mid: int, code: ReasonCode, ___: Any) -> None:
        self._pass(self._answer, mid, code)

    def _pass(self, call: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(call, *arguments)

    # what follows runs in the loop

    def _open(self, session: Session) -> None:
        if not self._opened.done():
            self._opened.set_result(session)

    def _answer(self, mid: int, code: ReasonCode) -> None:
        answered = self._waiting.pop(mid, None)
        if answered and not answered.done():
            answered.set_result(code)

    def _lose(self, code: int, text: str) -> None:
        self._closed.set()
        self.taken_over = code == reasons.TAKEN_OVER
        place = self._options.place
        # with TLS 1.3 a server refuses our certificate after the handshake
        if (failure := getattr(self._socket, "failure", None)) and (why := explain(failure, place)):
            self._fail(why)
        if not self._opened.done():
            self._fail(Dropped(f"{place} closed the connection at once ({text.lower()})"))
        self._fail(Lost(f"the connection to {place} is gone ({text.lower()})"))

    def _fail(self, error: FieldpostError) -> None:
        self.failure = self.failure or error
        if not self._opened.done():
            self._opened.set_exception(error)
        waiting, self._waiting = self._waiting, {}
        for answered in waiting.values():
            if not answered.done():
                answered.set_result(self.failure)


class Dropped(Lost):
    """The broker hung up before it answered: it may not speak our version of MQTT."""


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]  # paho leaves it untyped
