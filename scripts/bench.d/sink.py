"""The far end: receives what a gateway sends, recognises every poll by its mark, counts.

    sink.py mqtt --port PORT --stats FILE --slaves FILE [--ca PEM]
    sink.py http --port PORT --stats FILE --slaves FILE [--certificate PEM --private-key PEM]

Marks (c/marks.h): every slave holds a uint32 >= 0x80000000 with its number and that of the poll; no
time stamp falls into that range, so they are found in any JSON, plain, gzip or deflate, without
knowing its layout. FILE holds doubles, see FIELDS. On SIGHUP the marks that arrived so far are
written to FILE.json. HTTP only: SIGUSR1 closes the door, SIGUSR2 opens it again.
"""

import argparse
import asyncio
import gzip
import json
import mmap
import signal
import socket
import ssl
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt

FIELDS = (
    "messages", "leaves", "payload_bytes", "first", "last", "latency_s", "latency_n", "marks",
    "duplicates", "late_order", "unparsed", "wire_in", "wire_all", "connections",
    "largest_payload", "latency_max_s",
)  # fmt: skip
COUNTERS, SLAVES, RING = 16, 128, 4096  # c/marks.h
FIRST_MARK, LAST_MARK = 0x80000000, 0xFFFFFFFF
SEGMENT_BYTES = 52  # IP and TCP headers with time stamps
TCP_INFO_BYTES, ACKED_AT = 192, 120  # tcp_info of Linux: bytes_acked, bytes_received, segs out, in
ECHO = ("epoch", "first", "last", "count")  # what a `kind: http` destination wants to hear


def parsed(payload: bytes) -> Any:
    """The document in a payload, whatever compresses it."""
    if payload[:2] == b"\x1f\x8b":
        payload = gzip.decompress(payload)
    elif payload[:1] == b"\x78" and (payload[0] << 8 | payload[1]) % 31 == 0:
        payload = zlib.decompress(payload)
    try:
        return json.loads(payload)
    except ValueError:
        return [json.loads(line) for line in payload.splitlines()]


def numbers(node: Any) -> Iterator[float]:
    """Every number in a document."""
    if isinstance(node, dict):
        for value in node.values():
            yield from numbers(value)
    elif isinstance(node, list):
        for value in node:
            yield from numbers(value)
    elif isinstance(node, int | float):
        yield node


class Counter:
    """What arrived. `add` is all that a transport calls."""

    def __init__(self, stats: Path, slaves: Path) -> None:
        self.path = stats
        with stats.open("w+b") as file:
            file.truncate(4096)
            self.map = mmap.mmap(file.fileno(), 4096)
        with slaves.open("rb") as file:
            self.when = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self.n = dict.fromkeys(FIELDS, 0.0)
        self.marks: dict[int, set[int]] = {}
        self.top: dict[int, int] = {}

    def add(self, payload: bytes) -> Any:
        """Count one message; the document in it."""
        n, now, document = self.n, time.monotonic(), None
        try:
            document = parsed(payload)
            for value in numbers(document):
                n["leaves"] += 1
                if FIRST_MARK <= value <= LAST_MARK and value == int(value):
                    self.mark(int(value), now)
        except (ValueError, OSError, zlib.error):
            n["unparsed"] += 1
        n["messages"] += 1
        n["payload_bytes"] += len(payload)
        n["largest_payload"] = max(n["largest_payload"], len(payload))
        n["last"] = now
        n["first"] = n["first"] or now
        self.store()
        return document

    def mark(self, value: int, now: float) -> None:
        """One poll of one slave arrived."""
        slave, number = value >> 24 & 0x7F, value & 0xFFFFFF
        seen = self.marks.setdefault(slave, set())
        if number in seen:
            self.n["duplicates"] += 1
            return
        seen.add(number)
        self.n["marks"] += 1
        self.n["late_order"] += number < self.top.get(slave, 0)
        self.top[slave] = max(number, self.top.get(slave, 0))
        at = 8 * (COUNTERS + SLAVES + slave * RING + number % RING)
        polled = struct.unpack_from("Q", self.when, at)[0] / 1e9
        last = struct.unpack_from("Q", self.when, 8 * (COUNTERS + slave))[0]
        if polled and last - number < RING:
            self.n["latency_s"] += now - polled
            self.n["latency_n"] += 1
            self.n["latency_max_s"] = max(self.n["latency_max_s"], now - polled)

    def store(self) -> None:
        """Where the bench reads it."""
        self.map[: 8 * len(FIELDS)] = struct.pack(f"{len(FIELDS)}d", *self.n.values())

    def write_marks(self, *_: Any) -> None:
        """Per slave: first and last poll that arrived, how many, and the holes between them."""
        out = {
            slave: {
                "first": min(marks),
                "last": max(marks),
                "arrived": len(marks),
                "holes": max(marks) - min(marks) + 1 - len(marks),
            }
            for slave, marks in self.marks.items()
        }
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(out))
        part.rename(f"{self.path}.json")


def serve_mqtt(counter: Counter, wanted: argparse.Namespace) -> None:
    """Subscribe to everything, for ever."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "bench-sink", clean_session=False)
    client.reconnect_delay_set(1, 1)
    if wanted.ca:
        client.tls_set(wanted.ca)
    client.on_message = lambda *about: counter.add(about[2].payload)
    client.on_connect = lambda *_: client.subscribe("#", 1)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect("127.0.0.1", wanted.port)
    client.loop_forever(retry_first_connection=True)


class Http(asyncio.Protocol):
    """HTTP/1.1 with keep-alive and bodies of a given length; wire bytes from TCP_INFO."""

    def __init__(self, counter: Counter, live: "set[Http]") -> None:
        self.counter, self.live = counter, live
        self.buffer = b""
        self.told = (0, 0)

    def connection_made(self, transport: Any) -> None:
        """Count it."""
        self.transport, self.socket = transport, transport.get_extra_info("socket")
        self.counter.n["connections"] += 1
        self.live.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The last of its bytes."""
        del exc
        self.live.discard(self)
        self.count_wire()
        self.counter.store()

    def count_wire(self) -> None:
        """Bytes on the wire since the last look."""
        try:
            info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
        except OSError:
            return
        acked, received, out, into = struct.unpack_from("QQII", info, ACKED_AT)
        inward = received + SEGMENT_BYTES * into
        both = inward + acked + SEGMENT_BYTES * out
        self.counter.n["wire_in"] += inward - self.told[0]
        self.counter.n["wire_all"] += both - self.told[1]
        self.told = inward, both

    def data_received(self, data: bytes) -> None:
        """Answer every complete request with what its sender wants to hear."""
        self.buffer += data
        while (request := self.one()) is not None:
            document = self.counter.add(request) or {}
            self.count_wire()
            self.counter.store()
            body = json.dumps({name: document.get(name) for name in ECHO}).encode()
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            )
            self.transport.write(head.encode() + b"\r\n\r\n" + body)

    def one(self) -> bytes | None:
        """The body of the next complete request, cut from the buffer."""
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
        size = int(fields.get(b"content-length", b"0"))
        if len(rest) < size:
            return None
        self.buffer = rest[size:]
        return rest[:size]


async def serve_http(counter: Counter, wanted: argparse.Namespace) -> None:
    """Take requests; the door opens and closes by signal."""
    loop = asyncio.get_running_loop()
    tls = None
    if wanted.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(wanted.certificate, wanted.private_key)
    shut = asyncio.Event()
    opened = asyncio.Event()
    opened.set()
    live: set[Http] = set()
    loop.add_signal_handler(signal.SIGUSR1, lambda: (opened.clear(), shut.set()))
    loop.add_signal_handler(signal.SIGUSR2, lambda: (shut.clear(), opened.set()))
    while True:
        await opened.wait()
        server = await loop.create_server(
            lambda: Http(counter, live), "127.0.0.1", wanted.port, ssl=tls, reuse_address=True
        )
        print("ready", flush=True)
        await shut.wait()
        server.close()
        for connection in list(live):
            connection.transport.abort()


def main() -> None:
    """Read the command line and serve."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("transport", choices=("mqtt", "http"))
    p.add_argument("--port", type=int, required=True)
    p.add_argument("--stats", type=Path, required=True)
    p.add_argument("--slaves", type=Path, required=True)
    for name in ("ca", "certificate", "private-key"):
        p.add_argument("--" + name)
    wanted = p.parse_args()
    counter = Counter(wanted.stats, wanted.slaves)
    signal.signal(signal.SIGHUP, counter.write_marks)
    if wanted.transport == "mqtt":
        serve_mqtt(counter, wanted)
    else:
        asyncio.run(serve_http(counter, wanted))


if __name__ == "__main__":
    sys.exit(main())
