"""Where the configuration is, and how a command is told of one that lies elsewhere."""

import os
import shlex
from pathlib import Path

SYSTEM_CONFIG = Path("/etc/fieldpost/gateway.yaml")
OWN_CONFIG = ".config/fieldpost/gateway.yaml"


def config_file(explicit: Path | None = None) -> Path:
    """`--config` comes before `$FIELDPOST_CONFIG`, one's own file and the system's."""
    if explicit is not None:
        return explicit
    if named := os.environ.get("FIELDPOST_CONFIG"):
        return Path(named)
    return _usual()


def command(config: Path) -> str:
    """What to type before a verb that is to mean this file: `fieldpost`, with `--config` if needed.

    The environment does not count: `sudo` would not pass it on.
    """
    if config.absolute() == _usual():
        return "fieldpost"
    return f"fieldpost --config {shlex.quote(str(config))}"


def _usual() -> Path:
    own = Path.home() / OWN_CONFIG
    return (
        own if os.geteuid() != 0 and (own.exists() or not SYSTEM_CONFIG.exists()) else SYSTEM_CONFIG
    )
