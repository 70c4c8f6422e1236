"""`fieldpost run`: the daemon. Reads its arguments without click, which stays out of its memory."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from agent.cli.places import config_file
from agent.client.paths import socket_path, state_dir
from agent.daemon.app import main

EXAMPLE = "example:\n  fieldpost run --config gateway.yaml --state /var/lib/fieldpost\n"


def run(arguments: Sequence[str]) -> int:
    """Collect and send until told to stop; the exit code of section 8.3."""
    parser = argparse.ArgumentParser(
        prog="fieldpost run",
        description="The daemon: reads the devices, keeps what it read, sends it. "
        "What the systemd unit starts.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument("--state", type=Path, metavar="DIR", help="where readings are kept")
    parser.add_argument("--socket", type=Path, metavar="PATH", help="where commands are taken")
    given = parser.parse_args(arguments)
    state = state_dir(given.state)
    return main(config_file(given.config), state, _socket(given.socket, given.state, state))


def _socket(explicit: Path | None, given: Path | None, state: Path) -> Path:
    return socket_path(explicit, given or state)
