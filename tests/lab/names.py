"""A program whose names are looked up as a test says: a resolver and a network of its own. Root.

    with named(HANGS="hangs.test") ...   python -m tests.lab.names PROGRAM MODULE

Names below `.test` mean what they say: `good` is this machine, `half` has a dead IPv6 address
beside it, `gone` does not exist, and `hangs…` is never answered for.
"""

import os
import runpy
import socket
import subprocess
import sys
import tempfile
import threading

DEAD = "fd00::1"
ASKED_ONCE = "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n"
A, AAAA = 1, 28
OWN = "ip link set lo up && ip -6 addr add fd01::2/128 dev lo && ip -6 route add fd00::/64 dev lo"


def run_named(module: str, *arguments: str) -> str:
    """Run a module where those names are known; what it prints."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as names:
        names.write(ASKED_ONCE)
        names.flush()
        script = f'{OWN} && mount --bind "$0" /etc/resolv.conf && exec "$@"'
        program = [sys.executable, "-m", "tests.lab.names", module, *arguments]
        done = subprocess.run(
            ["unshare", "-mn", "sh", "-c", script, names.name, *program],
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    if done.returncode:
        raise OSError(done.stderr[-2000:])
    return done.stdout


def _serve(listening: socket.socket) -> None:
    while True:
        question, asker = listening.recvfrom(512)
        if answer := _answer(question):
            listening.sendto(answer, asker)


def _answer(question: bytes) -> bytes:
    """RFC 1035, 4.1, for one question."""
    end = question.index(b"\0", 12) + 5
    name, kind = question[13:end], int.from_bytes(question[end - 4 : end - 2], "big")
    if name.startswith(b"hangs"):
        return b""
    found = []
    if kind == A and not name.startswith(b"gone"):
        found = [socket.inet_aton("127.0.0.1")]
    if kind == AAAA and name.startswith(b"half"):
        found = [socket.inet_pton(socket.AF_INET6, DEAD)]
    code = 3 if name.startswith(b"gone") else 0  # NXDOMAIN
    head = question[:2] + bytes([0x81, 0x80 | code, 0, 1, 0, len(found), 0, 0, 0, 0])
    records = [
        b"\xc0\x0c" + bytes([0, kind, 0, 1, 0, 0, 0, 1, 0, len(data)]) + data for data in found
    ]
    return head + question[12:end] + b"".join(records)


if __name__ == "__main__":
    resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    resolver.bind(("127.0.0.1", 53))
    threading.Thread(target=_serve, args=(resolver,), daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__")
    sys.stdout.flush()
    os._exit(0)  # a look-up that hangs would be waited for
