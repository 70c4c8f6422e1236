"""What stands around a gateway: Modbus slaves, a broker or an HTTP(S) server, and the sink."""

import argparse
import contextlib
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import kit
import sink
from meters import Slaves

QUIET = subprocess.DEVNULL
MOSQUITTO = """listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
set_tcp_nodelay true
log_type error
persistence true
persistence_location {folder}/
autosave_interval 0
"""
TLS = "cafile {folder}/ca.pem\ncertfile {folder}/server.pem\nkeyfile {folder}/server.key\n"


class World:
    """Everything but the gateway, in one folder and on one core."""

    def __init__(self, wanted: argparse.Namespace, folder: Path) -> None:
        self.wanted, self.folder = wanted, folder
        self.base = kit.free_ports(wanted.devices + 1)
        self.port = self.base + wanted.devices
        self.slaves = Slaves(folder / "slaves")
        self.children: list[subprocess.Popen[Any]] = []
        self.broker: subprocess.Popen[Any] | None = None
        self.sink: subprocess.Popen[Any] | None = None
        self.tls = wanted.via in ("mqtts", "https")

    def start(self) -> None:
        """Slaves first, then the far end."""
        if self.tls:
            certificates(self.folder)
        self._keep(kit.start(self._slave(), kit.WORLD_CORE, stdout=QUIET))
        for _ in range(100):
            if self.slaves.path.exists() and self.slaves.path.stat().st_size:
                break
            time.sleep(0.02)
        if self.wanted.via.startswith("mqtt"):
            self.start_broker()
        self._start_sink()

    def seen(self) -> dict[str, float]:
        """What arrived at the sink."""
        raw = (self.folder / "sink").read_bytes()[: 8 * len(sink.FIELDS)]
        return dict(zip(sink.FIELDS, struct.unpack(f"{len(sink.FIELDS)}d", raw), strict=True))

    def shut_door(self) -> None:
        """The cloud goes away: connections refused, or the far end stops answering."""
        if self.wanted.outage_kind == "silent":
            self._far_end().send_signal(signal.SIGSTOP)
        elif self.broker:
            self.broker.terminate()
            self.broker.wait()
        else:
            self._far_end().send_signal(signal.SIGUSR1)

    def open_door(self) -> None:
        """The cloud comes back."""
        if self.wanted.outage_kind == "silent":
            self._far_end().send_signal(signal.SIGCONT)
        elif self.broker:
            self.start_broker()
        else:
            self._far_end().send_signal(signal.SIGUSR2)

    def start_broker(self) -> None:
        """A mosquitto that keeps what it was given."""
        text = (MOSQUITTO + (TLS if self.tls else "")).format(port=self.port, folder=self.folder)
        if os.geteuid() == 0:
            text += "user root\n"
        config = self.folder / "mosquitto.conf"
        config.write_text(text)
        command = [kit.tool("mosquitto", "mosquitto"), "-c", config]
        self.broker = kit.start(command, kit.WORLD_CORE, stdout=QUIET, stderr=QUIET)
        self._keep(self.broker)
        kit.wait_port(self.port)

    def close(self) -> None:
        """End everything that was started here."""
        for child in self.children[::-1]:
            end(child)

    def _slave(self) -> list[Any]:
        wanted = self.wanted
        if not wanted.rtu:
            return [kit.built("modbus_slave"), self.base, wanted.devices, self.slaves.path]
        baud, form, turnaround = [*wanted.rtu.split(","), "8N1", "0"][:3]
        bits = "10" if form == "8N1" else "11"
        tty = self.folder / "tty"
        return [kit.built("rtu_slave"), tty, baud, bits, turnaround, "14", self.slaves.path]

    def _start_sink(self) -> None:
        wanted, words = self.wanted, []
        if wanted.via.startswith("mqtt"):
            words = ["mqtt", *(["--ca", self.folder / "ca.pem"] if self.tls else [])]
        else:
            pair = ["--certificate", self.folder / "server.pem"]
            pair += ["--private-key", self.folder / "server.key"]
            words = ["http", *(pair if self.tls else [])]
        words += ["--port", self.port, "--stats", self.folder / "sink"]
        words += ["--slaves", self.slaves.path]
        command = [sys.executable, kit.BENCH / "sink.py", *words]
        with (self.folder / "sink.log").open("w") as log:
            self.sink = kit.start(command, kit.WORLD_CORE, stdout=subprocess.PIPE, stderr=log)
        self._keep(self.sink)
        if not self.sink.stdout or not self.sink.stdout.readline():
            message = f"the sink did not start:\n{(self.folder / 'sink.log').read_text()}"
            raise SystemExit(message)

    def _far_end(self) -> subprocess.Popen[Any]:
        far = self.broker or self.sink
        if far is None:
            message = "the world was not started"
            raise SystemExit(message)
        return far

    def _keep(self, child: subprocess.Popen[Any]) -> None:
        self.children.append(child)


def end(child: subprocess.Popen[Any]) -> None:
    """Kill a child and whatever it started."""
    with contextlib.suppress(OSError):  # it may have ended
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def certificates(folder: Path) -> None:
    """A CA and a server certificate for 127.0.0.1, made for this run."""

    def openssl(*words: str) -> None:
        command = [kit.tool("openssl", "openssl"), *words]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    authority = ["-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=bench CA"]
    openssl("req", "-x509", *key, *authority)
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
    openssl("x509", "-req", "-in", "server.csr", *signed, "-extfile", "san", "-out", "server.pem")
