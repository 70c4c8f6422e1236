"""fieldpost installed in a container as a technician would, and what its server was given."""

import json
from collections.abc import Mapping
from pathlib import Path

from tests.lab.systemd.container import Container

LAB = Path(__file__).parent
CLONE = "/root/fieldpost"
YAML = "/etc/fieldpost/gateway.yaml"
DROP_IN = "/run/systemd/system/fieldpost.service.d/test.conf"
INSTALL_S = 240


class Plant:
    """The machine with fieldpost on it, and what the server in it was given."""

    def __init__(self, machine: Container) -> None:
        self.machine = machine
        self.sh = machine.sh

    def install(self) -> None:
        """As root, from the clone, with the network."""
        command = f"{CLONE}/scripts/install"
        done = self.machine.run(command, online=True, timeout_s=INSTALL_S)
        assert done.returncode == 0, done.stdout + done.stderr

    def shown(self, key: str) -> str:
        """One property of the service."""
        return self.sh(f"systemctl show fieldpost -p {key} --value")

    def configure(self, text: str | None = None) -> None:
        """Put a configuration in its place, without losing the owner; without text the good one."""
        good = (LAB / "gateway.yaml").read_text() if text is None else text
        (self.machine.tree / YAML[1:]).write_text(good)

    def drop_in(self, text: str) -> None:
        """Change the unit as an administrator would."""
        self.sh(f"mkdir -p {Path(DROP_IN).parent}; echo '[Service]\n{text}' > {DROP_IN}")
        self.sh("systemctl daemon-reload")

    def refuse(self, *, refuse: bool) -> None:
        """Let the server be out of order, or not."""
        self.sh(f"{'touch' if refuse else 'rm -f'} /var/lib/peers/refuse")

    def delivered(self) -> list[tuple[str, int, int]]:
        """Epoch, number and value of every record that the server has acknowledged."""
        file = self.machine.tree / "var/lib/peers/records"
        lines = file.read_text().splitlines() if file.exists() else []
        records = [json.loads(line) for line in lines]
        return [(r["epoch"], r["seq"], r["values"]["answers"]) for r in records]

    def forget(self) -> None:
        """Let the server begin anew."""
        self.sh("rm -f /var/lib/peers/records")

    def answered(self) -> int:
        """How many answers the meter has given."""
        return int(self.sh("cat /var/lib/peers/count"))

    def wait_for(self, answer: int) -> None:
        """Wait until the server has this answer of the meter or a later one."""
        newest = "tail -n 1 /var/lib/peers/records | grep -o 'answers\": [0-9]*' | cut -d' ' -f2"
        self.machine.until(f'[ "$({newest})" -ge {answer} ]', 40)

    def missing(self) -> int:
        """Answers of the meter that the server does not have, among those between the others."""
        values = {value for _, _, value in self.delivered()}
        return max(values) - min(values) + 1 - len(values)

    def probe(self, unit: str) -> Mapping[str, bool | str]:
        """What code inside that unit can do: the installed unit, with another program in it."""
        other = "s#^ExecStart=.*#ExecStart=/opt/fieldpost/bin/python -I -B /opt/probe.py#"
        once = "s/^Type=.*/Type=oneshot/; /^(WatchdogSec|Restart.*|Requires|RuntimeDir.*)=/d"
        copy = f"/run/systemd/system/probe-{unit}"
        self.sh(f"sed -E '{other}; {once}' /etc/systemd/system/{unit} > {copy}")
        self.sh(f"systemctl daemon-reload; systemctl start probe-{unit}")
        found: dict[str, bool | str] = json.loads(
            self.sh(f"journalctl -u probe-{unit} -o cat --no-pager | grep '^{{' | tail -n 1")
        )
        return found
