"""A peer behind a link that can be cut without either side being told. Needs root and iproute2.

A network namespace holds the server; its end of the link is taken down while a connection is open,
so that nothing comes back any more: no FIN, no RST, no ICMP. That is what a pulled antenna or a
rebooted router looks like.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Self

FAR, NEAR = "10.99.41.2", "10.99.41.1"
MISSING = None if os.geteuid() == 0 and shutil.which("ip") else "needs root and iproute2"

HTTP_SERVER = """
import http.server, json, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        told = json.dumps({k: asked[k] for k in ("epoch", "first", "last", "count")}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""


class Vanishing:
    """Runs servers in a namespace of their own; `with`."""

    def __init__(self, *commands: Sequence[str]) -> None:
        self._commands = commands
        self._processes: list[subprocess.Popen[bytes]] = []
        number = os.getpid() % 100_000
        self._space, self._near, self._far = (f"{name}{number}" for name in ("va", "van", "vaf"))

    def __enter__(self) -> Self:
        try:
            _ip(f"netns add {self._space}")
            _ip(f"link add {self._near} type veth peer name {self._far} netns {self._space}")
            _ip(f"addr add {NEAR}/24 dev {self._near}")
            _ip(f"link set {self._near} up")
            _ip(f"-n {self._space} addr add {FAR}/24 dev {self._far}")
            _ip(f"-n {self._space} link set {self._far} up")
            for command in self._commands:
                words = ["ip", "netns", "exec", self._space, *command]
                quiet = subprocess.DEVNULL
                self._processes.append(subprocess.Popen(words, stdout=quiet, stderr=quiet))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for command in (f"link del {self._near}", f"netns del {self._space}"):
            subprocess.run(["ip", *command.split()], check=False, capture_output=True)

    def vanish(self) -> None:
        """Let the peers disappear."""
        _ip(f"-n {self._space} link set {self._far} down")

    def come_back(self) -> None:
        """As if nothing had happened."""
        _ip(f"-n {self._space} link set {self._far} up")


def http_server(port: int) -> list[str]:
    """The command of a server that echoes what `kind: http` sends."""
    return [sys.executable, "-c", HTTP_SERVER, FAR, str(port)]


def _ip(command: str) -> None:
    done = subprocess.run(["ip", *command.split()], check=False, capture_output=True, text=True)
    if done.returncode:
        message = f"ip {command}: {done.stderr.strip()}"
        raise OSError(message)
