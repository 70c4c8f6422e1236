"""Runs in the guest: one JSON request a line from the port `lab.ctl`, one JSON answer a line.

{"command", "timeout_s"} -> {"code", "out", "err"}. Root without a password: the other end is a Unix
socket in a private folder of the test.
"""

import json
import subprocess
import time
from pathlib import Path

PORT = Path("/dev/virtio-ports/lab.ctl")
NOBODY_S = 0.05  # until somebody connects on the other side


def done(request: dict[str, str]) -> dict[str, object]:
    """Run one command for bash."""
    try:
        run = subprocess.run(
            ["bash", "-c", request["command"]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=float(request["timeout_s"]),
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return {"code": 124, "out": (late.stdout or b"").decode(errors="replace"), "err": "late"}
    out, err = (text.decode(errors="replace") for text in (run.stdout, run.stderr))
    return {"code": run.returncode, "out": out, "err": err}


with PORT.open("r+b", buffering=0) as port:
    port.write(b'{"ready": true}\n')
    pending = b""
    while True:
        if not (chunk := port.read(1 << 16)):
            time.sleep(NOBODY_S)  # noqa: TID251 - nothing else runs here
            continue
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            port.write(json.dumps(done(json.loads(line))).encode() + b"\n")
