"""A small real plant for tests of the whole daemon: a Modbus slave, a file, the command."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from agent.client import BlockingClient
from agent.errors import FieldpostError
from tests.lab.mosquitto import free_port

FIELDPOST = Path(sys.executable).with_name("fieldpost")
PROFILE = """\
profile: test-meter
title: Two registers
kind: modbus
every: 100ms
points:
  power:   {read: holding 0, as: uint16, unit: W}
  voltage: {read: holding 1, as: uint16, unit: V}
"""
GATEWAY = """\
version: 1
site:
  name: Test bench
  id: bench-01
  may_lose: 100ms
connections:
  plc:
    kind: modbus-tcp
    host: 127.0.0.1:{modbus}
devices:
  meter:
    profile: test-meter
    via: plc
    address: 1
cloud:
  broker:
    kind: mqtt
    url: mqtt://127.0.0.1:{mqtt}
    topic: test/{{device}}
    every: 100ms
    payload: samples
    compress: no
status:
  listen: none
"""


@asynccontextmanager
async def slave(port: int) -> AsyncIterator[None]:
    """A Modbus TCP slave whose first two registers are 1234 W and 230 V."""
    device = SimDevice(1, [SimData(0, values=[1234, 230], datatype=DataType.REGISTERS)])
    server = ModbusTcpServer([device], address=("127.0.0.1", port))
    await server.listen()
    try:
        yield
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus has no types here


class Site:
    """A folder with a configuration and a state directory, and the daemon on them."""

    def __init__(self, folder: Path, mqtt: int) -> None:
        self.config = folder / "gateway.yaml"
        self.state = folder / "state"
        self.modbus, self.mqtt = free_port(), mqtt
        self.client = BlockingClient(self.state / "fieldpost.sock")
        (folder / "profiles").mkdir()
        (folder / "profiles" / "test-meter.yaml").write_text(PROFILE)
        self.config.write_text(GATEWAY.format(modbus=self.modbus, mqtt=self.mqtt))

    def run(self, *before: str) -> subprocess.Popen[bytes]:
        """The daemon, as `fieldpost run` starts it."""
        return subprocess.Popen(
            [*before, str(FIELDPOST), "run", "--config", self.config, "--state", self.state],
            stderr=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if not k.startswith("FIELDPOST_")},
        )

    def snapshot(self) -> dict[str, Any]:
        return self.client.call("snapshot")

    async def until(self, true: Callable[[dict[str, Any]], bool], within_s: float = 60) -> None:
        """Wait until the daemon's snapshot is as wanted."""
        async with asyncio.timeout(within_s):
            while not self._is(true):
                await asyncio.sleep(0.05)

    def _is(self, true: Callable[[dict[str, Any]], bool]) -> bool:
        try:
            return true(self.snapshot())
        except FieldpostError:
            return False


def ended(daemon: subprocess.Popen[bytes], within_s: float = 5) -> tuple[int, list[dict[str, Any]]]:
    """Stop it; its exit code and what it logged."""
    daemon.terminate()
    _, log = daemon.communicate(timeout=within_s)
    return daemon.returncode, [json.loads(x) for x in log.splitlines() if x.startswith(b"{")]
