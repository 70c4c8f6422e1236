"""The way to one destination, step by step: name, connection, TLS, clock. Facts, not opinions.

What depends on a step that failed is not tried. Nothing is sent but a HEAD request, whose `Date` is
compared with our clock.
"""

import re
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from agent.clock import SystemClock
from agent.cloud import Place
from agent.cloud.tls import explain

WITHIN_S = 15.0  # for each step; a satellite link needs five
EXPIRES_SOON_DAYS = 30
CLOCK_OFF_S = 60.0  # tokens and certificates begin to fail about here
ANSWER_BYTES_MAX = 16_384
CLOCK = SystemClock()
_DATE = re.compile(rb"^Date: (.+)\r$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way.

    Attributes:
        name: `address`, `connection`, `certificate`, `clock`, `credentials`, `way out`.
        state: `ok`, `warn` or `fail`.
        fact: what was found, for a person.
        ms: how long it took, None where that says nothing.
    """

    name: str
    state: str
    fact: str
    ms: float | None = None
    action: str | None = None


def steps(place: Place) -> Iterator[Step]:
    """Go as far as it goes."""
    proxy = _proxy(place)
    if proxy:
        yield Step(
            "way out", "ok", f"through the proxy {proxy}; what is behind it is not looked at"
        )
        return
    began_s = CLOCK.monotonic_s()
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield Step("address", "fail", f"{place.host} has no address ({error.strerror})",
                   action="Look at the DNS server of this network")  # fmt: skip
        return
    ms = _ms(began_s)
    yield Step("address", "ok", f"{place.host} -> {found[0][4][0]} in {ms:.0f} ms", ms)
    yield from _connected(place)


def _connected(place: Place) -> Iterator[Step]:
    began_s = CLOCK.monotonic_s()
    try:
        wire = socket.create_connection((place.host, place.port), WITHIN_S)
    except OSError as error:
        fact = f"port {place.port} cannot be reached ({error.strerror or error})"
        action = "Look at the firewall, or whether the server runs"
        yield Step("connection", "fail", fact, action=action)
        return
    ms = _ms(began_s)
    with wire:
        yield Step("connection", "ok", f"TCP to port {place.port} in {ms:.0f} ms", ms)
        yield Step("way out", "ok", f"from {wire.getsockname()[0]}, no proxy")
        if place.tls is None:
            yield Step("certificate", "ok", "not encrypted: this machine only")
            if place.web:
                yield from _clock(place, wire)
            return
        yield from _encrypted(place, wire, place.tls)


def _encrypted(place: Place, wire: socket.socket, tls: ssl.SSLContext) -> Iterator[Step]:
    began_s = CLOCK.monotonic_s()
    try:
        secured = tls.wrap_socket(wire, server_hostname=place.server_name or place.host)
    except OSError as error:
        told = explain(error, place.host)
        fact = told.message if told else f"TLS failed ({error})"
        yield Step("certificate", "fail", fact, action=told.action if told else None)
        return
    with secured:
        yield _certificate(secured, _ms(began_s))
        if place.web:
            yield from _clock(place, secured)


def _certificate(secured: ssl.SSLSocket, ms: float) -> Step:
    seen = secured.getpeercert() or {}
    ends_s = ssl.cert_time_to_seconds(str(seen["notAfter"]))
    days = int((ends_s - _now_s()) // 86_400)
    state = "warn" if days < EXPIRES_SOON_DAYS else "ok"
    fact = f"{secured.version()} in {ms:.0f} ms, the server's certificate ends in {days} days"
    return Step("certificate", state, fact, ms)


def _clock(place: Place, wire: socket.socket) -> Iterator[Step]:
    """Compare clocks; a server that tells no time says nothing."""
    host = place.server_name or place.host
    asked = f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    try:
        wire.settimeout(WITHIN_S)
        wire.sendall(asked.encode())
        answer = wire.recv(ANSWER_BYTES_MAX)
    except OSError as error:
        yield Step("clock", "fail", f"no answer over HTTP ({error.strerror or error})")
        return
    told = _DATE.search(answer)
    if told is None:
        return
    try:
        ahead_s = parsedate_to_datetime(told[1].decode("ascii", "replace")).timestamp() - _now_s()
    except ValueError:
        return
    state = "warn" if abs(ahead_s) > CLOCK_OFF_S else "ok"
    action = "Look at this gateway's time server" if state == "warn" else None
    side = "behind" if ahead_s > 0 else "ahead of"
    yield Step("clock", state, f"{abs(ahead_s):.0f} s {side} the server", action=action)


def _proxy(place: Place) -> str | None:
    """The proxy of the environment, without what opens it."""
    if not place.web or urllib.request.proxy_bypass(place.host):
        return None
    scheme = "http" if place.tls is None else "https"
    proxy = urllib.request.getproxies().get(scheme)
    return proxy.rpartition("@")[2] if proxy else None


def _ms(began_s: float) -> float:
    return (CLOCK.monotonic_s() - began_s) * 1000


def _now_s() -> float:
    return CLOCK.now().wall_ns / 1e9
