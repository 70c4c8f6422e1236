"""One gateway in one world, from an empty folder to the last figure."""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kit
import meters
import plant
from tables import Row
from world import World, end

FIRST_S = 60.0  # a gateway that has sent nothing by then never will
STOP_S = 15.0


@dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        command: with placeholders, as `plant` fills them.
        config: template of `gateway.yaml`, or None when it needs none.
    """

    name: str
    command: Sequence[str]
    config: Path | None = None


class Trial:
    """A world with one gateway in it; `result` grows while it is measured."""

    def __init__(self, wanted: argparse.Namespace, subject: Subject, period: float) -> None:
        self.wanted, self.subject, self.period = wanted, subject, period
        self.folder = kit.work_dir(re.sub(r"\W", "-", subject.name))
        self.world = World(wanted, self.folder)
        self.wire = meters.Wire(self.world.port)
        self.gateway: subprocess.Popen[Any] | None = None
        self.began = 0.0
        for name in ("state", "etc"):
            (self.folder / name).mkdir()
        path = "/v1/measurements" if wanted.via.startswith("http") else ""
        self.values: Row = {
            "STATE": self.folder / "state",
            "CONFIG": self.folder / "etc" / "gateway.yaml",
            "MODBUS_PORT": self.world.base,
            "UPLINK_PORT": self.world.port,
            "CA": self.folder / "ca.pem",
            "URL": f"{wanted.via}://127.0.0.1:{self.world.port}{path}",
            "TTY": self.folder / "tty",
            "BAUD": (wanted.rtu or "0").split(",")[0],
            "DEVICES": wanted.devices,
            "POINTS": wanted.points,
            "PERIOD": f"{period:g}",
            "PERIOD_MS": round(period * 1000),
            "PYTHON": sys.executable,
            "BENCH": kit.BENCH,
        }
        self.result: Row = {
            "name": subject.name,
            "devices": wanted.devices,
            "points": wanted.points,
            "period_s": period,
            "via": wanted.via,
        }

    def write_config(self) -> None:
        """The gateway's file, and the profile of the plant beside it."""
        if self.subject.config:
            templates = kit.BENCH / "templates"
            plant.write(self.subject.config, self.values["CONFIG"], self.values)
            profile = self.folder / "etc/profiles/bench-plant.yaml"
            plant.write(templates / "bench-plant.yaml", profile, self.values)

    def start_gateway(self) -> None:
        """Start it and wait for its first message."""
        command = [plant.filled(word, self.values) for word in self.subject.command]
        if self.wanted.syscalls:
            trace = [kit.tool("strace", "strace"), "-f", "-qq", "-c", "-S", "calls"]
            command = [*trace, "-o", str(self.folder / "strace"), *command]
        before = self.world.seen()["messages"]
        self.began = time.monotonic()
        with (self.folder / "gateway.log").open("a") as log:
            self.gateway = kit.start(
                command,
                kit.GATEWAY_CORE,
                cwd=self.values["STATE"],
                env=_environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        while self.world.seen()["messages"] == before:
            self.alive()
            if time.monotonic() - self.began > FIRST_S:
                message = f"no message within {FIRST_S:g} s; see {self.folder}/gateway.log"
                raise SystemExit(message)
            time.sleep(0.01)
        first = self.world.seen()["last" if before else "first"]
        self.result["cpu_to_first_s"] = round(meters.cpu_seconds(self.pids()), 3)
        self.result["first_message_s"] = round(first - self.began, 3)

    def stop_gateway(self) -> None:
        """SIGTERM, and how long it takes."""
        if self.gateway is None:
            return
        began = time.monotonic()
        try:
            for pid in meters.tree(self.gateway.pid)[1:] if self.wanted.syscalls else ():
                os.kill(pid, signal.SIGTERM)
            if not self.wanted.syscalls:
                self.gateway.terminate()
            self.gateway.wait(STOP_S)
            self.result["stop_s"] = round(time.monotonic() - began, 2)
        except (OSError, subprocess.TimeoutExpired):
            self.result["stop_s"] = None
            kit.say(f"{self.subject.name} did not stop within {STOP_S:g} s")
        self._count_syscalls()

    def close(self, *, good: bool) -> None:
        """End everything; the folder of a failed trial is kept."""
        if self.gateway:
            end(self.gateway)
        self.world.close()
        if good and not self.wanted.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self) -> list[int]:
        """The gateway and its children."""
        return meters.tree(self.gateway.pid) if self.gateway else []

    def alive(self) -> None:
        """Stop measuring a gateway that has ended."""
        if self.gateway and self.gateway.poll() is not None:
            log = (self.folder / "gateway.log").read_text()[-2000:]
            message = f"{self.subject.name} ended with {self.gateway.returncode}:\n{log}"
            raise SystemExit(message)

    def snapshot(self) -> dict[str, float]:
        """Every counter at one moment."""
        pids = self.pids()
        seen, io = self.world.seen(), meters.disk(pids)
        out, both = seen["wire_in"], seen["wire_all"]
        if self.wanted.via.startswith("mqtt"):
            out, both = self.wire.sample(pids)
        counted = {f"s_{k}": float(v) for k, v in self.world.slaves.read().items()}
        return {
            "t": time.monotonic(),
            "cpu": meters.cpu_seconds(pids),
            "disk": io["write_bytes"],
            "written": io["wchar"],
            "wire_out": out,
            "wire": both,
            "switches": meters.switches(pids),
            **counted,
            **seen,
        }

    def readings(self, x: dict[str, float], y: dict[str, float]) -> float:
        """Single values delivered between two moments: polls by their mark, times points."""
        return (y["marks"] - x["marks"]) * self.wanted.points

    def watch(self, seconds: float) -> list[dict[str, float]]:
        """Let it run; memory once a second, and the sockets, so that none that closes is lost."""
        end_at, seen = time.monotonic() + seconds, []
        while (left := end_at - time.monotonic()) > 0:
            time.sleep(min(1, left))
            self.alive()
            seen.append(meters.memory(self.pids()))
            if self.wanted.via.startswith("mqtt"):
                self.wire.sample(self.pids())
        return seen

    def outstanding(self) -> float:
        """Polls that were answered and have not arrived."""
        return sum(self.world.slaves.polls(self.wanted.devices)) - self.world.seen()["marks"]

    def _count_syscalls(self) -> None:
        trace = self.folder / "strace"
        if not self.wanted.syscalls or not trace.exists():
            return
        self.result["syscalls_secs"] = round(time.monotonic() - self.began, 1)
        rows = [line.split() for line in trace.read_text().splitlines()]
        counted = [r for r in rows if len(r) > 4 and r[3].isdigit() and r[-1] != "total"]
        self.result["syscalls"] = {r[-1]: int(r[3]) for r in counted}


def _environment() -> dict[str, str]:
    """A daemon starts from compiled modules, and from its own settings."""
    ours = ("PYTHONDONTWRITEBYTECODE", "FIELDPOST_")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)}
