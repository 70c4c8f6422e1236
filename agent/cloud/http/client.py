"""The one module that speaks HTTP: verified TLS, total deadline, bounded answers, no retries."""

import asyncio
import os
import socket
import ssl
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from agent.clock import SystemClock
from agent.cloud import Ends, Misconfigured, Place, Unreachable
from agent.cloud.expiry import der_ends_ns
from agent.cloud.http.answer import ANSWER_MAX, Answer, retry_after, unpacked
from agent.cloud.metering import Meter, Wire
from agent.cloud.tls import explain

CONNECT_S = 15.0  # name, TCP and TLS together; a satellite link needs five
KEEPALIVE_S = 120.0  # an upload every minute must not pay for a handshake each
DEAD_PEER_MS = 20_000  # unacknowledged bytes end the connection after that (RFC 5482)
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Post:
    """One request.

    Attributes:
        path: below the client's base address.
        deadline_s: for everything, from name lookup to the last byte of the answer.
    """

    path: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "POST"
    deadline_s: float = 60.0


class HttpClient:
    """Sends requests to one origin over kept connections.

    Args:
        url: base address; paths are appended to it.
        tls: from `agent.cloud.tls`.
        server_name: expected in the certificate, when the address is not a name of it.
        own_ends_ns: when the certificate we show runs out.

    Attributes:
        meter: what it costs.
        ends: when certificates run out.
    """

    def __init__(
        self,
        url: str,
        tls: ssl.SSLContext,
        server_name: str | None = None,
        own_ends_ns: int | None = None,
    ) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc.rpartition("@")[2]
        self._url = url
        self._tls = tls
        self._named = server_name
        self._scheme = parts.scheme
        self._clock = SystemClock()
        self.meter = Meter()
        self.ends = Ends(own_ends_ns)
        self._client: httpx.AsyncClient | None = None

    @property
    def place(self) -> Place:
        """Where the requests go."""
        parts = urlsplit(self._url)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        tls = self._tls if secure else None
        return Place(parts.hostname or "", port, tls, self._named, web=True)

    async def send(self, post: Post) -> Answer:
        """Send a request and read the answer, whatever its status.

        Raises:
            Unreachable: no complete answer in time. It may have been received.
            Misconfigured, Unauthorized: TLS failed for a reason a person must mend.
        """
        try:
            async with asyncio.timeout(post.deadline_s):
                return await self._exchange(post)
        except TimeoutError as error:
            message = f"{self.host} has not answered within {post.deadline_s:.0f} s"
            raise TimedOut(message) from error
        except httpx.LocalProtocolError:
            message = f"what should be sent to {self.host} is no valid request"
            action = "Store its token or bundle again"
            raise Misconfigured(message, action=action) from None  # the cause shows credentials
        except httpx.HTTPError as error:
            raise explain(error, self.host) or self._failed(error) from error
        except httpx.InvalidURL as error:
            message = f"{self._url} is not an address"
            raise Unreachable(message) from error

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client:
            await client.aclose()

    async def _exchange(self, post: Post) -> Answer:
        client = self._open()
        headers = [("Accept-Encoding", "identity"), ("User-Agent", "fieldpost"), *post.headers]
        extensions: dict[str, Any] = {"trace": self._watch}
        if self._named:
            headers.append(("Host", self._named))
            extensions["sni_hostname"] = self._named
        request = client.stream(
            post.method, self._url + post.path, content=post.body, headers=headers,
            extensions=extensions, timeout=_timeout(post.deadline_s),
        )  # fmt: skip
        async with request as response:
            body = await _bounded(response)
        return self._answer(response, body)

    async def _watch(self, event: str, info: dict[str, Any]) -> None:
        """What a request does on its way: a failed step is told before its connection is closed."""
        if event == "connection.connect_tcp.complete":
            self.meter.opened(Wire(info["return_value"].get_extra_info("socket")))
        elif event == "connection.start_tls.complete":
            tls = info["return_value"].get_extra_info("ssl_object")
            shown = der_ends_ns(tls.getpeercert(binary_form=True))
            self.ends = Ends(self.ends.own, shown)
        elif event.endswith((".failed", "_body.complete")):
            self.meter.look()

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            transport = httpx.AsyncHTTPTransport(
                verify=self._tls,
                retries=0,
                proxy=_proxy(self._scheme, self.host),
                limits=httpx.Limits(max_connections=4, keepalive_expiry=KEEPALIVE_S),
                socket_options=[(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_MS)],
            )
            self._client = httpx.AsyncClient(transport=transport)
        return self._client

    def _answer(self, response: httpx.Response, body: bytes) -> Answer:
        headers = response.headers
        now_s = self._clock.now().wall_ns / NANOSECONDS
        return Answer(
            status=response.status_code,
            media_type=headers.get("content-type", "").partition(";")[0].strip().lower(),
            body=unpacked(body, headers.get("content-encoding", "").strip().lower()),
            retry_after_s=retry_after(headers.get("retry-after"), now_s),
            location=headers.get("location"),
        )

    def _failed(self, error: httpx.HTTPError) -> Unreachable:
        if isinstance(error, httpx.ConnectTimeout):
            return Unreachable(f"{self.host} does not answer in time")
        if isinstance(error, httpx.ConnectError | httpx.ProxyError | httpx.UnsupportedProtocol):
            return Unreachable(f"{self.host} cannot be reached ({_system(error)})")
        return CutOff(f"the connection to {self.host} broke before the answer was complete")


class CutOff(Unreachable):
    """The request was sent and its answer is missing: it may have been received."""


class TimedOut(CutOff):
    """No answer within the deadline: it may have been received."""


def _timeout(deadline_s: float) -> httpx.Timeout:
    # ends before the deadline: a handshake that is cancelled from outside leaks its socket
    return httpx.Timeout(None, connect=min(CONNECT_S, 0.9 * deadline_s))


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > ANSWER_MAX:
            message = "the answer is larger than any receipt"
            raise Unreachable(message)
    return bytes(body)


def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for this host (`HTTPS_PROXY`, `NO_PROXY`)."""
    if urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(scheme) or proxies.get("all")


def _system(error: BaseException) -> str:
    """The system's words at the bottom of a chain of wrappers."""
    found: BaseException = error
    while cause := found.__cause__ or found.__context__:
        found = cause
    if isinstance(found, OSError) and found.errno and found.errno > 0:
        return os.strerror(found.errno)
    return getattr(found, "strerror", None) or str(found) or type(found).__name__
