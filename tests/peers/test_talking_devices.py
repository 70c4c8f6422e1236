"""The whole daemon with devices that speak on their own: a line of text and a radio."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.client import Client
from agent.demo.bluez import Bluez
from agent.errors import NotFoundError, UnavailableError, ValidationError
from agent.plan import Json
from tests.drivers.bluetooth.sensors import KEY, ruuvi
from tests.lab.bluez import bluez
from tests.lab.pty import Pty

__all__ = ["bluez"]

pytestmark = pytest.mark.timeout(40)
STARTS_WITHIN_S = 60.0
FILE = """\
version: 1
site: {{name: Lab, id: LAB-1}}
connections:
  mast: {{kind: serial-lines, port: {port}, line: 4800 8N1}}
  radio: {{kind: bluetooth, scan: passive}}
devices:
  room: {{profile: text-temperature-humidity, via: mast}}
  cold-room: {{profile: ruuvitag, via: radio, mac: CB:B8:33:4C:88:4F}}
  freezer: {{profile: bthome, via: radio, mac: 54:48:E6:8F:80:A5, key: secret:freezer-key}}
cloud:
  archive: {{kind: http, url: "http://127.0.0.1:9/"}}
status: {{listen: none}}
"""


@contextlib.asynccontextmanager
async def daemon(folder: Path, address: str) -> AsyncIterator[Client]:
    """`fieldpost run` with all its parts."""
    places = [
        f"--config={folder / 'gateway.yaml'}",
        f"--state={folder / 'state'}",
        f"--socket={folder / 'socket'}",
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "agent.cli", "run", *places),
        env=os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": address},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield Client(folder / "socket")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def until_ok(client: Client, *devices: str) -> Json:
    """Wait until these devices are well; the last snapshot."""
    async with asyncio.timeout(STARTS_WITHIN_S):
        while True:
            await asyncio.sleep(0.1)
            with contextlib.suppress(UnavailableError):
                snapshot = await client.call("snapshot")
                if all(snapshot["devices"][name]["state"] == "ok" for name in devices):
                    return snapshot


async def chatter(line: Pty, radio: Bluez) -> None:
    """Everybody speaks, again and again."""
    number = 0
    while True:
        number += 1
        line.send(b"T=21.5 H=48\r\n")
        radio.hear(ruuvi(number=number))
        await asyncio.sleep(0.1)


async def test_what_they_say_arrives_and_strangers_can_be_looked_for(
    bluez: Bluez,
    tmp_path: Path,
) -> None:
    (tmp_path / "secrets").mkdir(mode=0o700)
    key = tmp_path / "secrets/freezer-key"
    key.write_text(KEY)
    key.chmod(0o600)
    with Pty(tmp_path / "mast") as line:
        (tmp_path / "gateway.yaml").write_text(FILE.format(port=line.path))
        async with daemon(tmp_path, bluez.address) as client, asyncio.TaskGroup() as group:
            speaking = group.create_task(chatter(line, bluez), name="devices")
            snapshot = await until_ok(client, "room", "cold-room")
            assert snapshot["devices"]["freezer"]["state"] in {"starting", "never"}
            read = await client.call("read", {"device": "cold-room", "point": "temperature"})
            assert read["readings"][0]["value"] == 24.3
            heard = await client.call("discover", {"kind": "bluetooth", "seconds": 0.5})
            assert [one["device"] for one in heard["found"]] == ["cold-room"]
            with pytest.raises(NotFoundError, match="cannot tell"):
                await client.call("discover", {"kind": "serial-lines", "seconds": 1})
            with pytest.raises(NotFoundError, match="no zigbee connection"):
                await client.call("discover", {"kind": "zigbee", "seconds": 1})
            with pytest.raises(ValidationError):
                await client.call("discover", {"kind": "bluetooth", "seconds": 0})
            speaking.cancel()
