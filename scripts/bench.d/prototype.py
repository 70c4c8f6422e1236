"""What Python can do: the whole job without a product around it, to calibrate the bench.

    prototype.py MODBUS_PORT MQTT_PORT STATE DEVICES POINTS PERIOD_S

Block reads, struct, columnar JSON, gzip; one SQLite transaction a second (chunk in, acknowledged
out; WAL, FULL, pages of 4096); MQTT QoS 1 in the same loop. Point 0 is the mark (registers 0 and 1,
uint32), the others are uint16 from register 2 on. No configuration, no quality, no retry policy,
nothing resent after a restart: a feasibility proof.
"""

import asyncio
import contextlib
import gzip
import signal
import sqlite3
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from orjson import dumps

MODBUS, UPLINK, DEVICES, POINTS = (int(sys.argv[n]) for n in (1, 2, 4, 5))
STATE, PERIOD, FLUSH = sys.argv[3], float(sys.argv[6]), 1.0
REGISTERS = POINTS + 1
BLOCKS = [(a, min(125, REGISTERS - a)) for a in range(0, REGISTERS, 125)]
PLANS = {a: struct.Struct(f">I{n - 2}H" if a == 0 else f">{n}H").unpack_from for a, n in BLOCKS}
REQUEST = struct.Struct(">HHHBBHH").pack
HEADER = 6  # bytes of a Modbus TCP frame up to its length
WINDOW = 20

Pending = list[tuple[str, int, list[int]]]


class Modbus(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.transaction = 0
        self.buffer = b""
        self.answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: Any) -> None:
        """Keep it for writing."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Wait for a whole frame."""
        data = self.buffer + data if self.buffer else data
        if len(data) < HEADER or len(data) < HEADER + (data[4] << 8 | data[5]):
            self.buffer = data
            return
        self.buffer = b""
        if self.answer and not self.answer.done():
            self.answer.set_result(data)

    async def read(self, address: int, count: int) -> tuple[int, ...]:
        """One block of holding registers, decoded."""
        self.transaction = self.transaction + 1 & 0xFFFF
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(REQUEST(self.transaction, 0, 6, 1, 3, address, count))
        return PLANS[address](await self.answer, 9)


async def poll(index: int, pending: Pending) -> None:
    """Read one device every PERIOD."""
    loop = asyncio.get_running_loop()
    _, modbus = await loop.create_connection(Modbus, "127.0.0.1", MODBUS + index)
    due = loop.time()
    while True:
        at, values = int(time.time() * 1000), []
        for address, count in BLOCKS:
            values.extend(await modbus.read(address, count))
        pending.append((f"dev{index}", at, values))
        due = max(due + PERIOD, loop.time())
        await asyncio.sleep(due - loop.time())


async def connected(acknowledged: list[int]) -> tuple[mqtt.Client, Callable[[int, bytes], None]]:
    """A session that lives on this loop, and how a chunk is sent over it."""
    loop, up = asyncio.get_running_loop(), asyncio.Event()
    inflight: dict[int, int] = {}
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "prototype", clean_session=False)
    client.max_inflight_messages_set(WINDOW)
    client.on_connect = lambda *_: up.set()
    client.on_publish = lambda *about: acknowledged.append(inflight.pop(about[2], 0))
    client.on_socket_open = lambda *about: loop.add_reader(about[2], client.loop_read)
    client.on_socket_close = lambda *about: loop.remove_reader(about[2])
    client.on_socket_register_write = lambda *about: loop.add_writer(about[2], client.loop_write)
    client.on_socket_unregister_write = lambda *about: loop.remove_writer(about[2])
    client.connect("127.0.0.1", UPLINK)
    await up.wait()

    def send(row: int, body: bytes) -> None:
        inflight[client.publish("bench/prototype", body, 1).mid] = row

    return client, send


async def keep(client: mqtt.Client) -> None:
    """Keep the session alive, and make it again."""
    while True:
        await asyncio.sleep(1)
        if client.loop_misc() != mqtt.MQTT_ERR_SUCCESS or not client.is_connected():
            with contextlib.suppress(OSError):
                client.reconnect()


async def flush(
    pending: Pending, acknowledged: list[int], send: Callable[[int, bytes], None]
) -> None:
    """One transaction and one message a second."""
    loop = asyncio.get_running_loop()
    db = sqlite3.connect(STATE + "/prototype.db", isolation_level=None)
    for pragma in ("page_size=4096", "journal_mode=WAL", "synchronous=FULL"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("CREATE TABLE IF NOT EXISTS chunk(id INTEGER PRIMARY KEY, n INT, body BLOB)")
    due = loop.time()
    while True:
        due += FLUSH
        await asyncio.sleep(max(0, due - loop.time()))
        devices: dict[str, list[Any]] = {}
        for name, at, values in pending:
            devices.setdefault(name, []).append([at, values])
        count = len(pending) * POINTS
        pending.clear()
        if not count:
            continue
        body = gzip.compress(dumps({"v": 1, "d": devices}), 1)
        db.execute("BEGIN")
        db.executemany("DELETE FROM chunk WHERE id = ?", [(row,) for row in acknowledged])
        acknowledged.clear()
        new = db.execute("INSERT INTO chunk(n, body) VALUES(?, ?)", (count, body)).lastrowid
        db.execute("COMMIT")
        send(new or 0, body)


async def main() -> None:
    """Poll, keep, send."""
    pending: Pending = []
    acknowledged: list[int] = []
    client, send = await connected(acknowledged)
    async with asyncio.TaskGroup() as group:
        group.create_task(keep(client), name="session")
        group.create_task(flush(pending, acknowledged, send), name="store")
        for index in range(DEVICES):
            group.create_task(poll(index, pending), name=f"device {index}")


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
asyncio.run(main())
