"""The whole daemon as a process, between a meter that counts and a cloud that keeps, both outside.

The meter never serves a number twice. So whatever the cloud was sent can be held against what the
meter served, whatever happened to the daemon meanwhile; `judge` says what does not agree.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from agent.client import BlockingClient
from agent.errors import FieldpostError
from tests.lab.mosquitto import free_port
from tests.lab.scripted import Answer, Asked, Piece, Scripted, echo, reply

ROOT = Path(__file__).parent.parent.parent
RELEASE = (str(Path(sys.executable).with_name("fieldpost")),)
EVERY_S = 0.1
WINDOW_S = 2.5  # what a kill may cost: `may_lose`, and a commit on a busy machine
UNDER_WAY_S = 0.1
ENDS_S = 30.0  # for what takes a second or two, on a machine that has other things to do
PROFILE = """\
profile: counter
title: Counts its answers
kind: modbus
every: 100ms
points:
  count: {read: holding 0, as: uint32}
"""
CONFIGURATION = """\
version: 1
site: {{name: Lab, id: lab-01, may_lose: 100ms}}
connections:
  plc: {{kind: modbus-tcp, host: "127.0.0.1:{meter}"}}
devices:
  meter: {{profile: counter, via: plc, address: 1}}
cloud:
  keeper: {{kind: http, url: "http://127.0.0.1:{cloud}/in", every: 100ms}}
status: {{listen: none}}
"""
Name = tuple[str, int]


class Meter:
    """A Modbus TCP slave whose two registers are the number of its answer, from 1.

    Attributes:
        served: when each number was served, seconds on the boot clock.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.served: dict[int, float] = {}
        self._server: ModbusTcpServer | None = None

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        words = [SimData(0, values=[0, 0], datatype=DataType.REGISTERS)]
        device = SimDevice(1, words, action=self._answer)
        server = ModbusTcpServer([device], address=("127.0.0.1", self.port))
        self._server = server
        await server.listen()
        try:
            yield
        finally:
            await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus has no types here

    def forget_everybody(self) -> None:
        """Close every connection, as a device does with clients that say nothing for long."""
        assert self._server is not None
        for connection in list(self._server.active_connections.values()):
            connection.close()

    async def _answer(
        self, code: int, start: int, address: int, count: int, registers: list[int], *_: object
    ) -> None:
        del code, start, address, count
        number = len(self.served) + 1
        self.served[number] = time.monotonic()
        registers[0:2] = divmod(number, 0x10000)


@dataclass(slots=True)
class Archive:
    """What the cloud was sent, before it answered.

    Attributes:
        kept: every form in which a record came, by its name.
        away: it keeps nothing, and says so.
        answers: instead of the truth.
    """

    kept: dict[Name, set[str]] = field(default_factory=lambda: defaultdict(set))
    repeated: int = 0
    away: bool = False
    answers: Answer = echo

    def __call__(self, asked: Asked) -> Iterable[Piece]:
        if self.away:
            return reply(503)
        document = asked.json()
        for record in document["records"]:
            name = document["epoch"], record["seq"]
            self.repeated += name in self.kept
            self.kept[name].add(json.dumps(record, sort_keys=True))
        return self.answers(asked)

    def records(self) -> Iterator[tuple[Name, dict[str, Any]]]:
        for name, forms in self.kept.items():
            yield name, json.loads(min(forms))

    def counts(self) -> Counter[int]:
        """How many names each number of the meter came under."""
        values = (record["values"] for _, record in self.records())
        return Counter(v["count"] for v in values if "count" in v)


class Whole:
    """A site in a folder, what surrounds it, and the daemon on it.

    Attributes:
        ended: from when to when what the daemon read may be missing, because it was ended.
        lives: of the store, one more for each time that it had to be set aside.
    """

    def __init__(self, folder: Path) -> None:
        self.config, self.state = folder / "gateway.yaml", folder / "state"
        self.meter, self.archive = Meter(), Archive()
        self.cloud = Scripted(self.archive)
        self.client = BlockingClient(self.state / "fieldpost.sock")
        self.ended: list[tuple[float, float]] = []
        self.lives = 1
        (folder / "profiles").mkdir()
        (folder / "profiles" / "counter.yaml").write_text(PROFILE)

    def configure(self, text: str = CONFIGURATION) -> None:
        self.config.write_text(text.format(meter=self.meter.port, cloud=self.cloud.port))

    def start(
        self,
        command: Iterable[str] = RELEASE,
        env: Mapping[str, str] | None = None,
        stderr: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """The daemon; what it logs goes to a file beside its state."""
        with (self.state.parent / "log").open("ab") as log:
            return subprocess.Popen(
                [*command, "run", "--config", self.config, "--state", self.state],
                env=dict(os.environ) | dict(env or {}),
                cwd=ROOT,
                stderr=log if stderr is None else stderr,
            )

    @property
    def log(self) -> str:
        return (self.state.parent / "log").read_text()

    async def died(
        self,
        daemon: subprocess.Popen[bytes],
        within_s: float = ENDS_S,
        stuck_s: float | None = None,
    ) -> int:
        """Wait for it to end by itself; its exit code.

        Args:
            stuck_s: since when it has committed nothing any more, on the boot clock.
        """
        await until(lambda: daemon.poll() is not None, within_s)
        self._ended(stuck_s)
        return daemon.returncode

    def kill(self, daemon: subprocess.Popen[bytes]) -> None:
        daemon.kill()
        daemon.wait()
        self._ended()

    async def stop(self, daemon: subprocess.Popen[bytes]) -> int:
        """As systemd stops it."""
        daemon.send_signal(signal.SIGTERM)
        await until(lambda: daemon.poll() is not None)
        return daemon.returncode

    async def fresh(self, count: int = 3, within_s: float = ENDS_S) -> None:
        """Wait until the cloud has so many numbers that are served from now on."""
        before = len(self.meter.served)
        async with asyncio.timeout(within_s):
            while sum(number > before for number in self.archive.counts()) < count:
                await asyncio.sleep(EVERY_S / 2)

    async def drained(self, daemon: subprocess.Popen[bytes]) -> list[str]:
        """Have everything arrive, stop, and judge."""
        await self.fresh()
        told = await self.until(self._quiet)
        code = await self.stop(daemon)
        return [*self.judge(told), *([f"exit {code}"] if code else [])]

    async def ask(self, verb: str, **arguments: Any) -> Any:
        """Ask the daemon, beside the loop: meter and cloud must go on meanwhile."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self.client.call, verb, arguments)

    def snapshot(self) -> dict[str, Any] | None:
        """As of now; meter and cloud do not answer meanwhile."""
        try:
            return self.client.call("snapshot")
        except FieldpostError:
            return None

    async def until(
        self, true: Callable[[dict[str, Any]], bool], within_s: float = ENDS_S
    ) -> dict[str, Any]:
        """Wait until the daemon's snapshot is as wanted, and return it."""
        async with asyncio.timeout(within_s):
            while True:
                with contextlib.suppress(FieldpostError):
                    told: dict[str, Any] = await self.ask("snapshot")
                    if true(told):
                        return told
                await asyncio.sleep(0.05)

    def judge(self, told: dict[str, Any]) -> list[str]:
        """Everything that the two ends and the daemon do not agree about."""
        return [*self._names(), *self._gaps(), *self._missing(), *self._figures(told)]

    def _ended(self, stuck_s: float | None = None) -> None:
        now_s = time.monotonic()
        # a request that was under way when it died is served a moment later, to nobody
        self.ended.append(((stuck_s or now_s) - WINDOW_S, now_s + UNDER_WAY_S))

    def _quiet(self, snapshot: dict[str, Any]) -> bool:
        """Nothing to be salvaged; live samples come all the time, so a handful may wait."""
        if (self.state / "quarantine").exists():
            return False
        keeper = snapshot["status"]["destinations"]["keeper"]
        return bool(keeper["waiting_readings"] <= 3)

    def _names(self) -> Iterator[str]:
        for name, forms in self.archive.kept.items():
            if len(forms) > 1:
                yield f"{name} came with other bytes: {forms}"
        for count, names in self.archive.counts().items():
            if names > 1:
                yield f"{count} came under {names} names"
            if count not in self.meter.served:
                yield f"{count} was never served"

    def _gaps(self) -> Iterator[str]:
        epochs: dict[str, list[int]] = defaultdict(list)
        for epoch, seq in self.archive.kept:
            epochs[epoch].append(seq)
        if len(epochs) > self.lives:
            yield f"{len(epochs)} epochs"
        for epoch, seqs in epochs.items():
            if gap := set(range(min(seqs), max(seqs))) - set(seqs):
                yield f"{epoch} has gaps: {sorted(gap)[:5]}"

    def _missing(self) -> Iterator[str]:
        """Only what was served shortly before an end may never have been accepted."""
        arrived = self.archive.counts()
        last_s = max(self.meter.served.values()) - WINDOW_S
        for count, at_s in self.meter.served.items():
            excused = any(since_s < at_s <= end_s for since_s, end_s in self.ended)
            if count not in arrived and at_s < last_s and not excused:
                yield f"{count} never arrived"

    def _figures(self, told: dict[str, Any]) -> Iterator[str]:
        store = told["status"]["store"]
        if store["lost_readings_total"]:
            yield f"{store['lost_readings_total']} lost"
        keeper = told["status"]["destinations"]["keeper"]
        delivered, arrived = keeper["delivered_total"], sum(self._readings())
        if not delivered <= arrived:
            yield f"counts {delivered} delivered where {arrived} arrived"

    def _readings(self) -> Iterator[int]:
        return (len(record["values"]) for _, record in self.archive.records())


@contextlib.asynccontextmanager
async def whole(folder: Path) -> AsyncIterator[Whole]:
    """Meter and cloud answer; the daemon is not started yet."""
    site = Whole(folder)
    async with site.meter.serving(), site.cloud:
        site.configure()
        yield site


@contextlib.contextmanager
def ending(daemon: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """See to it that a daemon does not outlive its test."""
    try:
        yield daemon
    finally:
        daemon.kill()
        daemon.wait()


async def until(true: Callable[[], bool], within_s: float = ENDS_S) -> None:
    """Look every few milliseconds until it is so."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.02)
