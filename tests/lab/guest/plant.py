"""fieldpost as it is now in a guest, as its real service; the cloud it speaks to is outside."""

import http.server
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.lab.guest.machine import Guest
from tests.lab.systemd.peers import Keeper

ROOT: Final = Path(__file__).parents[3]
SITE: Final = "/opt/fieldpost/lib/python3.11/site-packages"
YAML: Final = "/etc/fieldpost/gateway.yaml"
START_S: Final = 150  # with a new configuration, which a child compiles: 2 s on a real board
CLOUD: Final = """cloud:
  keeper: {kind: http, url: "http://127.0.0.1:8081/", every: 1s}
"""


class Plant:
    """The guest, and what its cloud was given.

    Args:
        guest: booted.
        folder: what it sees as /host; `records` lie there too.
    """

    def __init__(self, guest: Guest, folder: Path) -> None:
        self.guest, self.sh = guest, guest.sh
        self._folder = folder

    def renew(self) -> None:
        """Put the agent's code, its units and rules as they are now over those of the image."""
        site = self._folder / "site"
        for room in ("agent", "drivers"):
            shutil.copytree(ROOT / room, site / room, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "config", site / "agent/share")
        shutil.copytree(ROOT / "systemd", self._folder / "systemd")
        shutil.copy(ROOT / "tests/lab/systemd/counter.yaml", self._folder)
        # here, because there it takes a minute; of another Python than Debian's it is not used
        bytecode = ["compileall", "-q", "--invalidation-mode", "unchecked-hash", "-p", SITE]
        subprocess.run([sys.executable, "-m", *bytecode, "-s", site, site], check=True)
        subprocess.run(["tar", "-cf", self._folder / "site.tar", "-C", site, "."], check=True)
        self.sh(
            "systemctl stop fieldpost; "
            f"cd {SITE}; rm -rf agent drivers; tar -xf /host/site.tar --no-same-owner; cd /; "
            "cp /host/systemd/fieldpost*.service /host/systemd/fieldpost*.socket "
            "/etc/systemd/system; cp /host/systemd/*.rules /usr/lib/udev/rules.d; "
            "cp /host/counter.yaml /etc/fieldpost/profiles; "
            "systemctl daemon-reload; udevadm control --reload",
            timeout_s=200,
        )

    def configure(self, connections: str, devices: str) -> None:
        """Give it these, and start it anew; without losing the file's owner."""
        text = f"version: 1\nsite: {{name: Guest, id: bench-01}}\n{connections}{devices}{CLOUD}"
        (self._folder / "gateway.yaml").write_text(text)
        self.sh(f"cat /host/gateway.yaml > {YAML}; systemctl restart fieldpost", START_S)

    def shown(self, key: str) -> str:
        """One property of the service."""
        return self.sh(f"systemctl show fieldpost -p {key} --value")

    def run_doctor(self) -> str:
        """Its findings; a finding is no failure of this command."""
        return self.guest.run("fieldpost doctor").out

    @property
    def records(self) -> Path:
        """What the cloud has acknowledged, one a line."""
        return self._folder / "records"

    def newest(self, device: str) -> dict[str, Any]:
        """The record of a device that came last."""
        return self._of(device)[-1]

    def delivered(self, device: str) -> list[tuple[str, int, int]]:
        """Epoch, number and value of every record of a device, as they came."""
        return [(r["epoch"], r["seq"], r["values"]["answers"]) for r in self._of(device)]

    def _of(self, device: str) -> list[dict[str, Any]]:
        lines = self.records.read_text().splitlines() if self.records.exists() else []
        return [record for record in map(json.loads, lines) if record["device"] == device]


@contextmanager
def plant(folder: Path, clock: str = "base=utc") -> Iterator[Plant]:
    """A guest with a running service in it, and its cloud."""
    Keeper.folder = folder
    keeper = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keeper)
    threading.Thread(target=keeper.serve_forever, name="cloud", daemon=True).start()
    try:
        with Guest(folder, keeper.server_port, clock) as guest:
            made = Plant(guest, folder)
            made.renew()
            yield made
    finally:
        keeper.shutdown()
        keeper.server_close()
