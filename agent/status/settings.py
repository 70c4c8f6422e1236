"""What the status service has to know before it can serve: options, the daemon's word, secrets."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent import plan, secret
from agent.client import BlockingClient, socket_path
from agent.errors import FieldpostError

ASK_WITHIN_S = 2.0  # a daemon that is just starting must not keep the page from saying so
CONFIG_DIR = Path("/etc/fieldpost")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Settings:
    """How to serve.

    Attributes:
        socket: the daemon's.
        listen: `host:port`, or None: the socket comes from systemd.
        site_id: what a platform token must be meant for; None: not known, so none is accepted.
        status: `status:` of the configuration.
        config_dir: where `secrets/` lies, unless systemd brings them.
        bound: ends when its standard input ends, as a child of the daemon does.
    """

    socket: Path
    listen: str | None
    site_id: str | None
    status: plan.Status
    config_dir: Path = CONFIG_DIR
    bound: bool = False

    @property
    def names(self) -> frozenset[str]:
        """What may stand in the Host header, lower case, without ports and brackets."""
        return frozenset(name.strip("[]").lower() for name in (*LOOPBACK, *self.status.names))

    def secret_file(self, name: str) -> Path:
        """Where one of our secrets lies.

        Raises:
            SecretError: it is missing, or lies open to others.
        """
        path = secret.find(name, self.config_dir)
        if path is None:
            message = f"there is no secret called '{name}'"
            raise secret.SecretError(message, action=f"fieldpost secret set {name}")
        secret.check_mode(path)
        return path


def read(arguments: Sequence[str]) -> Settings:
    """Settings from options, and from the daemon where it answers."""
    options = _parser().parse_args(arguments)
    path = socket_path(options.socket)
    told = _told(path)
    status = plan.from_json(plan.Status, told["status"]) if "status" in told else plan.Status()
    return Settings(
        socket=path,
        listen=options.listen,
        site_id=options.id or told.get("site", {}).get("id"),
        status=status,
        config_dir=options.config or _config_dir(options.plan) or CONFIG_DIR,
        bound=options.bound,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("fieldpost-status", description=__doc__)
    parser.add_argument("--socket", type=Path, help="the daemon's socket")
    parser.add_argument("--listen", metavar="HOST:PORT", help="default: the socket from systemd")
    parser.add_argument("--id", help="the gateway's id; default: what the daemon says")
    parser.add_argument("--config", type=Path, metavar="DIR", help="where secrets/ lies")
    parser.add_argument("--plan", type=Path, help="a plan file, to find that directory")
    parser.add_argument(
        "--bound", action="store_true", help="end when standard input ends: its writer is gone"
    )
    return parser


def _told(path: Path) -> plan.Json:
    """The daemon's `settings`, or nothing while it cannot be asked: loopback works without."""
    try:
        return BlockingClient(path, ASK_WITHIN_S).call("settings")
    except FieldpostError:
        return {}


def _config_dir(plan_file: Path | None) -> Path | None:
    """The directory of the configuration a plan was made from."""
    try:
        saved = json.loads(plan_file.read_bytes()) if plan_file else {}
        files = saved.get("plan", saved)["origin"]["files"]
    except (OSError, ValueError, KeyError):
        return None
    return Path(next(iter(files))).parent if files else None
